"""The page of the probe: its questions, and what each answer means for loads."""

from __future__ import annotations

from dlt_bunce.load.probed import MAX_AGE
from dlt_bunce.probe.plan import max_customers, max_requests
from dlt_bunce.probe.questions import QUESTIONS
from docs.generate.markdown import code, page, table


def probe() -> str:
    """Return the page of the probe's questions and answers."""
    return page(
        "Probe",
        "`dlt-bunce probe` asks Bunce what its documentation leaves open, with test customers "
        f"([how to](../how-to/report-your-bunce.md)). With batches of up to 400 customers it sends "
        f"at most {max_requests(400)} requests and creates at most {max_customers(400):,} "
        "customers; `--max-batch` changes both.",
        "## Questions",
        "In the report, a question has this name. Any answer can also be `unknown`, where nothing "
        "that came back decides it.",
        table(
            ("question", "about", "answer", "what it means for loads"),
            [
                [code(question.name) if not at else "", question.title if not at else "", *row]
                for question in QUESTIONS.values()
                for at, row in enumerate(
                    [
                        *([code(answer), text] for answer, text in question.meanings.items()),
                        *([["a figure", question.otherwise]] if question.otherwise else []),
                    ]
                )
            ],
        ),
        "## What loads take from it",
        f"For {MAX_AGE.days} days, and only at the same host, loads of the account start from the "
        "probe. What a load finds itself outranks it.",
        "- Batches start with the largest size that was accepted, unless an earlier load has "
        "reached another one. If a larger batch was refused, they do not grow beyond it.\n"
        "- Look-ups ask for no more ids than are taken.\n"
        "- If a failed batch creates none of its rows, the good ones are sent again without a "
        "look-up.\n"
        "- If counts of failures were contradicted, they are never believed. If they were "
        "verified, each load still needs one proof of its own.\n"
        "- `check` estimates with the sizes and times of the probe, and says whether `append` "
        "overwrites.",
        "If a load finds that Bunce behaves otherwise, it logs `probe.contradicted`, later loads "
        "do not start from that answer, and `dlt-bunce doctor` says so.",
        "## What cannot be told apart",
        "- A limit on the number of customers in a request and one on its size in bytes: both "
        "refuse a larger batch.\n"
        "- A delay of look-ups that ends after some seconds and one that ends after some reads.\n"
        "- The exact largest batch or number of ids: sizes are doubled or halved.\n"
        "- How many customers a success leaves out, if it leaves out some: every third, or those "
        "of one kind.\n"
        "- The reasons for which emails, phone numbers, and ids are refused: only the forms listed "
        "above are tried, each once, and only with addresses at example.com.\n"
        "- How errors name rows by position, if they list only rows of one request in words of "
        "their own.\n"
        "- Whether a firewall refuses certain contents, and which.",
        "Not asked at all: the rate limit and its `Retry-After`, time-outs, the limits of a plan, "
        "attributes, and segments. If the account is refused, if no test customer is accepted in "
        "any form, or if three requests in a row are not answered, the probe ends with an error "
        "and keeps nothing.",
    )
