"""Reasons: each is a sentence with a cure."""

from zssr_daemon.errors import Reason
from zssr_daemon.web.reasons import SENTENCES, explained


def test_every_reason_has_a_sentence_and_a_cure() -> None:
    """None is missing, and all end as sentences do."""
    assert set(SENTENCES) == set(Reason)
    assert [text for pair in SENTENCES.values() for text in pair if not text.endswith(".")] == []


def test_row_is_explained() -> None:
    """With both; without a reason there is nothing to say, and an unknown one is shown as it is."""
    row = explained({"id": "1", "reason": "truncated"})
    assert (row["reason_text"], row["cure"]) == SENTENCES[Reason.TRUNCATED]
    assert explained({"reason": None})["reason_text"] is None
    assert explained({"reason": "from_a_newer_daemon"})["reason_text"] == "from_a_newer_daemon"
