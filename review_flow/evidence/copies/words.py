"""One sentence for each kind of match, for people who look at a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review_flow.i18n import _, say
from review_flow.rules.verdict import clock
from review_flow.rules.words import CopyKind

if TYPE_CHECKING:
    from review_flow.evidence.copies.prints import Match

SENTENCES = {
    CopyKind.VIDEO: _(
        "视频画面与{whose}的一个视频相同（占较短者的 {percent}%）：本文件 {here}，对应对方 {there}。请人工核对。"
    ),
    CopyKind.AUDIO: _(
        "声音与{whose}的一段录音相同（占较短者的 {percent}%）：本文件 {here}，对应对方 {there}。请人工核对。"
    ),
    CopyKind.IMAGE: _("照片与{whose}的一张照片画面相同（占较小者的 {percent}%）。请人工核对。"),
    CopyKind.TEXT: _("有 {count} 段文字与{whose}的一份文档相同（占较短者的 {percent}%），如“{quote}”。请人工核对。"),
}


def sentence(match: Match, *, whose: str) -> str:
    """Say what two files have in common; `whose` names the other in words fit for whoever reads it."""
    spans = {
        name: f"{clock(int(place['from_s']))}–{clock(int(place['to_s']))}"
        for name, places in (("here", match.here), ("there", match.there))
        for place in places[:1]
        if "from_s" in place
    }
    quote = max((str(place.get("quote", "")) for place in match.here), key=len, default="")
    facts = {"percent": round(match.score * 100), "count": len(match.here), "quote": quote}
    return say(SENTENCES[match.kind], whose=whose, **facts, **spans)
