"""Xmp: a packet of XMP as a tree, whose properties can be read, written and struck."""

import io
import re
from collections.abc import Callable, Iterator
from typing import Final
from xml.etree import ElementTree as Tree

from zssr_daemon.imaging.metadata.namespaces import DC, RDF, XML, X, as_name

#: Longer than any honest packet; a longer one would make the output unreadable.
MAX_CHARS: Final = 16 << 20

_HEAD: Final = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_TAIL: Final = '<?xpacket end="w"?>'
_EMPTY: Final = f'<x:xmpmeta xmlns:x="{X}"><rdf:RDF xmlns:rdf="{RDF}"/></x:xmpmeta>'

# Characters that no XML may hold.
_NOT_XML: Final = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: What a rule asks of a property: its namespace and its local name.
Rule = Callable[[str, str], bool]


class Xmp:
    """A packet; the text stays what it was until a property is changed."""

    def __init__(self, text: str) -> None:
        """Read a packet.

        A packet is text from a stranger: document types and entities, which XMP has no use for,
        are refused. Raises ValueError for a packet that is no XML.
        """
        if len(text) > MAX_CHARS:
            raise ValueError(f"{len(text)} characters")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise ValueError("a document type has no place in XMP")
        self._text = text
        self._names: list[tuple[str, str]] = []  # prefix, namespace
        self.is_changed = False
        try:
            events = Tree.iterparse(io.StringIO(text.strip()), events=("start-ns", "end"))  # noqa: S314 (see above)
            for event, value in events:
                if event == "start-ns":
                    self._names.append(value)
            self.root: Tree.Element = events.root  # type: ignore[attr-defined]
        except Tree.ParseError as error:
            raise ValueError(str(error)) from error

    @staticmethod
    def empty() -> "Xmp":
        """Return a packet without properties."""
        return Xmp(_EMPTY)

    def text(self) -> str:
        """Return the packet as text."""
        if not self.is_changed:
            return self._text
        for prefix, namespace in self._names:
            if prefix and not re.fullmatch(r"ns\d+", prefix):  # those the library makes itself
                Tree.register_namespace(prefix, namespace)
        return f"{_HEAD}{Tree.tostring(self.root, encoding='unicode')}{_TAIL}"

    def has(self, namespace: str, name: str) -> bool:
        """Tell whether a property is there, whatever it says."""
        return next(self._places(namespace, name), None) is not None

    def get(self, namespace: str, name: str) -> str | None:
        """Return what a simple property says."""
        for element, is_attribute in self._places(namespace, name):
            value = element.get(f"{{{namespace}}}{name}") if is_attribute else element.text
            return (value or "").strip()
        return None

    def put(self, namespace: str, name: str, value: str) -> None:
        """Rewrite a simple property wherever it stands."""
        for element, is_attribute in list(self._places(namespace, name)):
            before = element.get(f"{{{namespace}}}{name}") if is_attribute else element.text
            if before != value:
                self.is_changed = True
                if is_attribute:
                    element.set(f"{{{namespace}}}{name}", value)
                else:
                    element.text = value

    def elements(self, namespace: str, name: str) -> list[Tree.Element]:
        """Return the properties of a name that are written as elements."""
        return list(self.root.iter(f"{{{namespace}}}{name}"))

    def strike(self, rule: Rule) -> list[str]:
        """Remove the properties that a rule names, wherever they stand; return their names."""
        struck = dict.fromkeys(self._strike_attributes(rule) + self._strike_elements(rule))
        self.is_changed = self.is_changed or bool(struck)
        return list(struck)

    def add(self, name: tuple[str, str, str], values: list[str]) -> None:
        """Add a property: (prefix, namespace, name).

        Of Dublin Core a title, a description and rights are texts by language, a subject and a
        creator lists; elsewhere several values make a list.
        """
        prefix, namespace, local = name
        self._names += [(prefix, namespace), ("rdf", RDF)]
        self.is_changed = True
        element = Tree.SubElement(self._description(), f"{{{namespace}}}{local}")
        values = [_NOT_XML.sub("", value) for value in values]
        kind = _container(namespace, local, len(values))
        if kind is None:
            element.text = values[0]
            return
        container = Tree.SubElement(element, f"{{{RDF}}}{kind}")
        for value in values:
            item = Tree.SubElement(container, f"{{{RDF}}}li")
            item.text = value
            if kind == "Alt":
                item.set(f"{{{XML}}}lang", "x-default")

    def join(self, other: "Xmp") -> None:
        """Add the descriptions of another packet."""
        home = self._home()
        for description in other.root.findall(f".//{{{RDF}}}RDF/{{{RDF}}}Description"):
            home.append(description)
            self.is_changed = True
        self._names += other._names

    def _places(self, namespace: str, name: str) -> Iterator[tuple[Tree.Element, bool]]:
        """Walk the elements that are, or bear as an attribute, a property."""
        full = f"{{{namespace}}}{name}"
        for element in self.root.iter():
            if element.tag == full:
                yield element, False
            elif full in element.attrib:
                yield element, True

    def _strike_attributes(self, rule: Rule) -> list[str]:
        struck = []
        for element in self.root.iter():
            for full in [name for name in element.attrib if rule(*as_name(name))]:
                del element.attrib[full]
                struck.append(as_name(full)[1])
        return struck

    def _strike_elements(self, rule: Rule) -> list[str]:
        struck = []
        for parent in list(self.root.iter()):
            for child in list(parent):
                if isinstance(child.tag, str) and rule(*as_name(child.tag)):
                    parent.remove(child)
                    struck.append(as_name(child.tag)[1])
        return struck

    def _home(self) -> Tree.Element:
        """Return the element that descriptions stand in."""
        found = next(self.root.iter(f"{{{RDF}}}RDF"), None)
        return Tree.SubElement(self.root, f"{{{RDF}}}RDF") if found is None else found

    def _description(self) -> Tree.Element:
        home = self._home()
        found = home.find(f"{{{RDF}}}Description")
        if found is not None:
            return found
        return Tree.SubElement(home, f"{{{RDF}}}Description", {f"{{{RDF}}}about": ""})


def _container(namespace: str, local: str, count: int) -> str | None:
    """Return the kind of list that a property is, or None for a simple one."""
    if namespace == DC:
        return {"creator": "Seq", "subject": "Bag"}.get(local, "Alt")
    return "Bag" if count > 1 or local in {"SupplementalCategories", "SubjectCode"} else None
