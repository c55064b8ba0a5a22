"""The examples of the pages in docs/, as files."""

import re
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
EXAMPLES = {"random_features.py": "how_to_add_a_method.md", "ripples.py": "how_to_add_a_task.md"}


def write_example(name, folder):
    """Write the one block of Python of its page to a file; return the path as text."""
    [code] = re.findall(r"```python\n(.*?)```", (DOCS / EXAMPLES[name]).read_text(), re.DOTALL)
    path = folder / name
    path.write_text(code)
    return str(path)
