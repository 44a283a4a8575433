"""The page of the probe: its questions, and what each answer means for loads."""

from __future__ import annotations

from dlt_bunce.load.probed import CHECKED, MAX_AGE
from dlt_bunce.probe.plan import max_customers, max_requests
from dlt_bunce.probe.questions import QUESTIONS
from docs.generate.markdown import code, page, table

NOT_ASKED = {
    "the rate limit and its `Retry-After`": (
        "rate_limit",
        "rate_window_seconds",
        "retry_after",
        "block_seconds",
    ),
    "time-outs, slow answers, and interruptions": ("faults", "latency_ms", "seed"),
    "the limits of a plan": ("max_customers", "value_quota"),
    "a key or an account that Bunce refuses": (
        "account_message",
        "account_status",
        "api_keys",
        "suspended",
    ),
    "contents that a firewall refuses, and single values, members, or domains of emails that "
    "Bunce refuses": (
        "poison",
        "poison_text",
        "refused_email_domain",
        "refused_member",
        "refused_value",
    ),
    "the ids of customers whom other channels made": ("made_ids",),
    "what becomes of the good values beside a bad one": ("value_failure",),
    "what Bunce says to a value of an attribute that is gone, and whether it asks for the older "
    "names of a value's fields": ("gone_attribute", "value_names"),
    "what an answer to a change of members shows, and what becomes of a customer whom Bunce does "
    "not have": ("member_echo", "unknown_member"),
}
"""What a probe does not ask about, with the emulator's switches for it."""
HIDDEN: dict[str, tuple[tuple[str, ...], ...]] = {
    "A limit on the number of customers in a request and one on its size in bytes: both refuse a "
    "larger batch.": (("max_body_bytes",),),
    "How many ids a look-up takes, where few customers could be made, or pages are small: fewer "
    "are tried then.": (
        ("max_batch", "lookup_max_ids"),
        ("max_body_bytes", "lookup_max_ids"),
        ("max_per_page", "lookup_max_ids"),
        ("id_pattern", "lookup_max_ids"),
    ),
    "How errors name rows by position, if they list only rows of one request in words of their "
    "own.": (("error_words", "error_form"),),
    "Whether errors list a row several times or only the first one, if they name rows by "
    "position.": (("errors", "error_form"),),
}
"""What a probe cannot tell apart, with the emulator's switches that together hide it."""


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
        "probe. What a load finds itself outranks it. `dlt-bunce probe --import` takes a report of "
        "the sandbox, or of another store, for the account.",
        "- Batches start with the largest size that was accepted, unless an earlier load has "
        "reached another one. If a larger batch was refused, they do not grow beyond it.\n"
        "- Look-ups ask for no more ids than are taken.\n"
        "- If a failed batch creates none of its rows, the good ones are sent again without a "
        "look-up.\n"
        "- If counts of failures were contradicted, they are never believed. If they were "
        "verified, each load still needs one proof of its own.\n"
        "- A run under `append` warns if Bunce overwrites an id that is created again.\n"
        "- `check` estimates with the sizes and times of the probe, and says whether `append` "
        "overwrites.",
        "All other answers are for you: whether look-ups work, what an answer shows, and how long "
        "a look-up lags, each load finds out by itself.",
        f"The answers to {', '.join(map(code, CHECKED[:-1]))}, and {code(CHECKED[-1])} are checked "
        "by loads that meet the case: a failed batch, or a row in doubt. If a load finds that "
        "Bunce behaves otherwise, it logs `probe.contradicted`, later loads do not start from that "
        "answer, and `dlt-bunce doctor` says so. Other answers, such as the one about an id that "
        "is created again and a largest batch, stay for "
        f"{MAX_AGE.days} days: probe again when Bunce announces a change. A batch that is too "
        "large by now is halved all the same.",
        "## What cannot be told apart",
        "\n".join(f"- {sentence}" for sentence in HIDDEN) + "\n"
        "- A delay of look-ups that ends after some seconds and one that ends after some reads.\n"
        "- The exact largest batch or number of ids: sizes are doubled or halved.\n"
        "- How many customers a success leaves out, if it leaves out some: every third, or those "
        "of one kind.\n"
        "- The reasons for which emails, phone numbers, and ids are refused: only the forms listed "
        "above are tried, each once, and only with addresses at example.com.",
        f"Not asked at all: {'; '.join(NOT_ASKED)}. Attributes and segments are asked about only "
        "with `--attribute` and `--segment`. If the account is refused, if no test customer is "
        "accepted in any form, or if three requests in a row are not answered, the probe ends with "
        "an error and keeps nothing.",
    )
