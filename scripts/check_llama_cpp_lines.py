#!/usr/bin/env python3
"""Prints 10,000 lines of English, Chinese and code, made from the project's own files.

    python scripts/check_llama_cpp_lines.py > LINES

The same files give the same lines.
"""

import random
import re
from pathlib import Path

LINES = 10_000
ODD = ["naïve café", "한국어", "Ελλάδα", "🦀🧑‍🚀", "e\u0301", "\u00a0", "\t", "１２３", "२०२४", "it'S we'LL", "   "]


def main():
    root = Path(__file__).parent.parent
    draw = random.Random(1)
    read = lambda path: path.read_text(encoding="utf-8")
    sources = sorted([*root.glob("crates/**/*.rs"), *root.glob("scripts/*.py")])
    code = [line for path in sources for line in read(path).splitlines()]
    prose = " ".join(read(path) for path in sorted(root.glob("*.md")) if "zh" not in path.name)
    english = re.split(r"(?<=[.:;]) ", prose)
    chinese_text = read(root / "README.zh-CN.md") + read(root / "crates/serve/page/words.js")
    clauses = re.findall(r"[\u4e00-\u9fff][^\n\"]*?[,。:;!?]", chinese_text)

    def chinese():
        return "".join(draw.choice(clauses) for _ in range(draw.randint(1, 4)))

    def mixed():
        parts = [draw.choice(ODD), draw.choice(english)[:60], chinese()[:30], draw.choice(code)]
        draw.shuffle(parts)
        return draw.choice(["", " "]).join(parts)

    kinds = [lambda: draw.choice(english), chinese, lambda: draw.choice(code), mixed]
    for at in range(LINES):
        print(" ".join(kinds[at % len(kinds)]().split("\n"))[:400])


if __name__ == "__main__":
    main()
