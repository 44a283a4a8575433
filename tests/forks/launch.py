"""Have a server fork a program that uses this process's files, and end as it ends.

Called with the address of the server's socket, the program's first argument, its code, and the rest
of its arguments.
"""

import json
import os
import signal
import socket
import sys

FORWARDED = {signal.SIGINT, signal.SIGTERM}

address, name, code, *arguments = sys.argv[1:]
job = {
    "argv": [name, *arguments],
    "code": code,
    "environment": dict(os.environ),
    "folder": os.getcwd(),  # noqa: PTH109, each import costs time
}
signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
server = socket.socket(socket.AF_UNIX)
server.connect(address)
text = json.dumps(job).encode()
socket.send_fds(server, [len(text).to_bytes(8, "big")], [0, 1, 2])
server.sendall(text)
answers = server.makefile("r")
pid = int(answers.readline())
for number in FORWARDED:
    signal.signal(number, lambda number, _: os.kill(pid, number))
signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
status = int(answers.readline())
if status < 0:
    if -status != signal.SIGKILL:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
os._exit(status)
