"""The commands that READMEs show: what is tested is taken from there, word for word but for its placeholders."""

import dataclasses
import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Where each example serves its pages, unless it is told another place. A test can't have that port for itself.
PAGES = "127.0.0.1:8377"


class Wrong(Exception):
    """A README that doesn't show what is to be tested."""


@dataclasses.dataclass
class Command:
    """`NAME='value' … PROGRAM arguments…`"""

    environment: dict
    arguments: list


def read(path):
    """The text of a README."""
    return (ROOT / path).read_text()


def section(path, heading):
    """What stands below this heading, up to the next one."""
    found = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", read(path), re.DOTALL | re.MULTILINE)
    if len(found) != 1:
        raise Wrong(f"{path} has {len(found)} sections {heading!r} in place of one")
    return found[0]


def fenced(text, language):
    """The fenced blocks of this language in a text."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def blocks(path, language):
    """The fenced blocks of this language."""
    return fenced(read(path), language)


def block(path, language):
    """The one block of this language."""
    found = blocks(path, language)
    if len(found) != 1:
        raise Wrong(f"{path} has {len(found)} blocks of {language} in place of one")
    return found[0]


def commands(block):
    """What follows each `$ ` of a block, with its continued lines."""
    lines = block.replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def example(path, package):
    """The one command that runs this example; and those that stand before it in its block, as they are."""
    return command(path, ["cargo", "run", "-p", package, "--"])


def command(path, run):
    """The one command that begins like this, after its environment; and those that stand before it in its block, as they are."""
    found = []
    for shown in map(commands, blocks(path, "console")):
        for line, words in enumerate(map(shlex.split, shown)):
            for at in range(len(words)):
                if words[at : at + len(run)] == run:
                    environment = dict(word.split("=", 1) for word in words[:at])
                    found.append((Command(environment, words[at + len(run) :]), shown[:line]))
    if len(found) != 1:
        raise Wrong(f"{path} shows {len(found)} commands `{shlex.join(run)}` in place of one")
    return found[0]


def filled(words, placeholders):
    """These words with something real, or nothing, in place of each placeholder, which must be a whole word, and there once."""
    for placeholder in placeholders:
        if words.count(placeholder) != 1:
            raise Wrong(f"the placeholder {placeholder!r} is there {words.count(placeholder)} times in {words}")
    return [word for word in (placeholders.get(word, word) for word in words) if word is not None]


def filled_text(text, placeholders):
    """This text with something real in place of each placeholder, which must be there once."""
    for placeholder, value in placeholders.items():
        if text.count(placeholder) != 1:
            raise Wrong(f"the placeholder {placeholder!r} is there {text.count(placeholder)} times in {text!r}")
        text = text.replace(placeholder, value)
    return text


def says(path, words):
    """Holds a README to a sentence on which a test relies."""
    if words not in " ".join(read(path).split()):
        raise Wrong(f"{path} doesn't say {words!r}")
