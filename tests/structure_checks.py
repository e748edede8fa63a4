"""What must hold for the shape of the source tree, whatever the code does.

Each check is a pure function of `files`, a dict from a path relative to the root to the text of
that file, and yields Findings. structure_test.py runs all of them over the real tree;
structure_checks_test.py shows for each an example that it must find.
"""

import ast
import re
from dataclasses import dataclass

MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 500

# Who may include whom; a folder may always include itself, and tests may include everything.
_ENGINE = ["base", "device", "extent_map", "gc", "store", "sim"]
MAY_INCLUDE = {
    "base": set(),
    "device": {"base"},
    "extent_map": {"base"},
    "gc": {"base", "device", "extent_map"},
    "store": {"base", "device", "extent_map", "gc"},
    "sim": {"base", "device", "extent_map", "gc", "store"},
    "cli": set(_ENGINE),
    "bench": set(_ENGINE),
    "examples": set(_ENGINE),
    "integrations": set(_ENGINE),
    "tests": set(_ENGINE) | {"cli", "bench", "examples", "integrations"},
}

# Other people's headers that we name in quotes, as Google's style has it.
QUOTED_LIBRARIES = {"absl", "CLI", "nlohmann"}

_ABOVE_BASE = ("device", "extent_map", "gc", "store", "sim")
# (what the code must not say, in which folders (None: everywhere), what to do instead)
BANNED = [
    (r"\bs?rand\s*\(|\bstd::(?:mt19937\w*|default_random_engine|\w+_distribution"
     r"|(?:random_)?shuffle)\b", None,
     "use base/random.h: a seed must give one sequence with every library"),
    (r"\bstd::random_device\b", ("base",) + _ABOVE_BASE, "take a seed"),
    (r"(?<![\w.>:])(?:std::|::)?time\s*\(\s*(?:nullptr|NULL|0|&)", None,
     "take a Clock (base/clock.h)"),
    (r"\babsl::Now\s*\(|_clock::now\s*\(|\b(?:clock_gettime|gettimeofday)\s*\(", _ABOVE_BASE,
     "take a Clock (base/clock.h)"),
    (r"\b(?:SleepFor|sleep_for|sleep_until|u?sleep|nanosleep)\s*\(", _ABOVE_BASE + ("tests",),
     "return what is waited for; tests move a ManualClock"),
    (r"(?<!\w)assert\s*\(|<cassert>|<assert\.h>", None, "use GLEANER_CHECK (base/check.h)"),
    (r"\babsl::(?:Mutex|CondVar)", None, "use base/mutex.h"),
    (r"\bstd::(?:mutex|shared_mutex|condition_variable|lock_guard|unique_lock|scoped_lock)\b",
     _ABOVE_BASE, "use base/mutex.h: clang checks who holds what"),
]


@dataclass(frozen=True)
class Finding:
    rule: str
    path: str
    line: int
    message: str
    name: str = ""  # of the function, where the rule is about one

    @property
    def key(self):
        return f"{self.path}:{self.name}" if self.name else self.path

    def __str__(self):
        return f"{self.path}:{self.line}: [{self.rule}] {self.message}"


# ---- Reading C++ and BUILD text ----

_CPP_TOKEN = re.compile(
    r'''(?P<raw>\b(?:u8|[uUL])?R"(?P<delimiter>[^()\\\s]{0,16})\((?:.|\n)*?\)(?P=delimiter)")
       |(?P<comment>//(?:[^\n\\]|\\(?:.|\n))*|/\*(?:.|\n)*?\*/)
       |(?P<string>"(?:[^"\\\n]|\\(?:.|\n))*")
       |(?P<number>\b\d[\w.']*)
       |(?P<char>'(?:[^'\\\n]|\\.)+')''', re.VERBOSE)


def _spaces(text):
    return re.sub(r"[^\n]", " ", text)


def blank_cpp(text, strings=True):
    """`text` with comments, and the insides of strings if told so, turned into spaces."""

    def replace(match):
        kind, token = match.lastgroup, match.group()
        if kind == "comment":
            return _spaces(token)
        if kind in ("raw", "string", "char") and strings:
            return token[0] + _spaces(token[1:-1]) + token[-1]
        return token

    return _CPP_TOKEN.sub(replace, text)


def _line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def _without_templates(head):
    """`head` without `template <...>` prefixes, whose brackets nest."""
    match = re.search(r"\btemplate\s*<", head)
    if not match:
        return head
    depth, i = 1, match.end()
    while i < len(head) and depth:
        depth += {"<": 1, ">": -1}.get(head[i], 0)
        i += 1
    return _without_templates(head[:match.start()] + head[i:])


def _opens(head):
    """What a brace at namespace or class level opens, from the text before it."""
    head = _without_templates(head).strip()
    plain = re.sub(r"\[\[.*?\]\]|\balignas\s*\([^()]*\)|\b[A-Z][A-Z0-9_]+\s*\([^()]*\)", " ", head)
    plain = plain.strip()
    if re.match(r"(?:inline\s+)?namespace\b", plain):
        return "scope"
    if "(" not in plain and re.match(
            r'(?:(?:typedef|static|constexpr|const)\s+)*(?:class|struct|union|enum)\b|extern\s*"',
            plain):
        return "scope"
    return "function" if "(" in head and head[-1] not in "=(,[" else "value"


def _function_name(head):
    head = _without_templates(head)
    macro = re.search(r"\b[A-Z][A-Z0-9_]+\s*\(([\w\s,]*)\)\s*$", head)
    if macro:
        return ".".join(word.strip() for word in macro.group(1).split(","))
    match = re.search(r"(operator\s*[^\s\w(]+|operator\s*\(\s*\)|[~\w:]+)\s*\(", head)
    return match.group(1).replace(" ", "") if match else "?"


def cpp_functions(text):
    """(name, first line, last line) of each function with a body outside other functions."""
    code = blank_cpp(text)
    # Neither preprocessor lines nor access labels belong to a function's head.
    code = re.sub(r"^[ \t]*(?:#(?:[^\n\\]|\\(?:.|\n))*|(?:public|private|protected)\s*:)",
                  lambda m: _spaces(m.group()), code, flags=re.MULTILINE)
    stack, head_start, found = [], 0, []
    for match in re.finditer(r"[{};]", code):
        token, end = match.group(), match.end()
        declaring = all(kind == "scope" for kind in stack)
        if token == "{":
            stack.append(_opens(code[head_start:match.start()]) if declaring else "inner")
            if stack[-1] == "scope":
                head_start = end
        elif token == ";" and declaring:
            head_start = end
        elif token == "}" and stack:
            kind = stack.pop()
            # `Type() : member_{1}, other_{2} {`: the head goes on behind a member's braces.
            if kind == "function" and not re.match(r"\s*[,{]", code[end:]):
                head = code[head_start:]
                start = head_start + len(head) - len(head.lstrip())
                name = _function_name(head[:head.index("{")])
                found.append((name, _line_of(code, start), _line_of(code, match.start())))
            if kind in ("function", "scope") and not re.match(r"\s*[,{]", code[end:]):
                head_start = end
    return found


def build_without_comments(text):
    return re.sub(r'("(?:[^"\\\n]|\\.)*")|#[^\n]*', lambda m: m.group(1) or "", text)


# ---- The files that each check looks at ----

def is_cpp(path):
    return path.endswith((".cc", ".h"))


def is_build(path):
    return path.rsplit("/", 1)[-1] == "BUILD"


def is_script(path):
    return path.endswith((".sh", ".py")) or path in ("dev", ".ci/run")


def is_code(path):
    return is_cpp(path) or is_build(path) or is_script(path) or path.endswith(".bzl")


# ---- The checks ----

def check_includes(files):
    for path in filter(is_cpp, files):
        folder = path.split("/")[0]
        code = blank_cpp(files[path], strings=False)
        for match in re.finditer(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', code, re.MULTILINE):
            bracket, header = match.groups()
            target, line = header.split("/")[0], _line_of(code, match.start(1))
            if target not in MAY_INCLUDE:
                if bracket == '"' and target not in QUOTED_LIBRARIES:
                    yield Finding("include", path, line,
                                  f'"{header}": in quotes only our folders and '
                                  f'{", ".join(sorted(QUOTED_LIBRARIES))}')
                continue
            if bracket == "<" or header not in files:
                yield Finding("include", path, line,
                              f'{header}: name our headers in quotes, from the root, as they are')
            elif target != folder and target not in MAY_INCLUDE.get(folder, set()):
                yield Finding("include", path, line, f"{folder}/ must not include {target}/")


def check_orphans(files):
    # A script may also be named by the commands for people, or by a page that says to run it.
    mentions = "\n".join(text for path, text in files.items()
                         if path in ("dev", ".ci/run") or path.endswith(".md"))
    for path in files:
        if not path.endswith((".cc", ".h", ".sh", ".py")):
            continue
        folder = path
        while "/" in folder:
            folder = folder.rsplit("/", 1)[0]
            if f"{folder}/BUILD" in files:
                break
        else:
            folder = ""
        build = f"{folder}/BUILD".lstrip("/")
        name = path[len(folder):].lstrip("/")
        if f'"{name}"' in build_without_comments(files.get(build, "")):
            continue
        if is_script(path) and path in mentions:
            continue
        yield Finding("orphan", path, 1, f"{build} does not list it")


def check_marks(files):
    mark = "FIX" + "ME"
    for path in filter(is_code, files):
        for number, line in enumerate(files[path].splitlines(), 1):
            if mark in line:
                yield Finding("mark", path, number, f"{mark}: do it, or file it")


def check_lengths(files):
    for path in filter(is_code, files):
        lines = len(files[path].splitlines())
        if lines > MAX_FILE_LINES:
            yield Finding("file-lines", path, 1, f"{lines} lines; the limit is {MAX_FILE_LINES}")
        functions = []
        if is_cpp(path):
            functions = cpp_functions(files[path])
        elif path.endswith(".py"):
            functions = [(node.name, node.lineno, node.end_lineno)
                         for node in ast.walk(ast.parse(files[path]))
                         if isinstance(node, ast.FunctionDef)]
        for name, first, last in functions:
            if last - first + 1 > MAX_FUNCTION_LINES:
                yield Finding("function-lines", path, first,
                              f"{name} has {last - first + 1} lines; the limit is "
                              f"{MAX_FUNCTION_LINES}", name)


def check_machine_paths(files):
    pattern = re.compile(r"(?<![\w.*/])/(?:work|root|home)(?:/|\b)")
    for path, text in files.items():
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                yield Finding("machine-path", path, number, "names a path of one machine")


def check_headers(files):
    for path in files:
        if not path.endswith(".h"):
            continue
        if not re.search(r"^#pragma once$", files[path], re.MULTILINE):
            yield Finding("header", path, 1, "has no #pragma once")
        if not files[path].startswith("//"):
            yield Finding("header", path, 1, "does not open with a comment: what it is, an "
                          "example, the thread rule")


def check_visibility(files):
    for path in filter(is_build, files):
        text = files[path]
        for match in re.finditer(r"\b(?:default_)?visibility\s*=\s*(\[[^\]]*\]?|\w+)", text):
            first = _line_of(text, match.start())
            lines = text.splitlines()[first - 1:_line_of(text, match.end())]
            if "#" in lines[0]:
                continue
            for number, line in enumerate(lines, first):
                wide = re.search(r'"//(?!visibility:private")|visibility\s*=\s*\w', line)
                if wide and "#" not in line:
                    yield Finding("visibility", path, number,
                                  "is wider than private and does not say why on its line")
        for match in re.finditer(r"^exports_files\([^)]*\)[^\n]*", text, re.MULTILINE):
            if "#" not in match.group() and "visibility" not in match.group():
                yield Finding("visibility", path, _line_of(text, match.start()),
                              "exports_files is public and does not say why on its line")


def check_build_lists(files):
    for path in filter(is_build, files):
        text = build_without_comments(files[path])
        if match := re.search(r"\bglob\s*\(", text):
            yield Finding("build", path, _line_of(text, match.start()), "glob: list the files")
        for match in re.finditer(r"\b(srcs|hdrs|deps|data)\s*=\s*\[([^\]]*)\]", text):
            labels = re.findall(r'"([^"]*)"', match.group(2))
            if labels != sorted(labels, key=lambda label: (label[:1] != ":", label.split(":"))):
                yield Finding("build", path, _line_of(text, match.start()),
                              f"{match.group(1)} is not sorted (:local before //other)")


def check_banned(files):
    for path in filter(is_cpp, files):
        code = blank_cpp(files[path])
        for pattern, folders, advice in BANNED:
            if folders and path.split("/")[0] not in folders:
                continue
            for match in re.finditer(pattern, code):
                yield Finding("banned", path, _line_of(code, match.start()),
                              f"{match.group().strip(' (')}: {advice}")


def check_excerpts(files):
    """Code in the README, between its lines of an ellipsis, is that of the program linked above
    it: the same lines in the same order."""
    text = files.get("README.md", "")
    for block in re.finditer(r"^```cpp\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        links = re.findall(r"\]\(([^)]*\.cc)\)", text[:block.start()])
        source = files.get(links[-1], "") if links else ""
        lines, at = [line.strip() for line in source.splitlines()], 0
        for part in re.split(r"^ *…\n", block.group(1), flags=re.MULTILINE):
            wanted = [line.strip() for line in part.strip().splitlines()]
            while at < len(lines) and lines[at:at + len(wanted)] != wanted:
                at += 1
            at += len(wanted)
            if at > len(lines):
                yield Finding("excerpt", "README.md", _line_of(text, block.start()),
                              f"is not in {links[-1] if links else 'any program linked above'}, "
                              f"or not in this order: {wanted[0] if wanted else ''}")
                break


CHECKS = [
    check_includes, check_orphans, check_marks, check_lengths, check_machine_paths,
    check_headers, check_visibility, check_build_lists, check_banned, check_excerpts,
]


def check_tree(files, exceptions):
    """All findings but those that `exceptions`, lines `rule path[:function] reason`, allow."""
    allowed, findings = {}, []
    for number, line in enumerate(exceptions.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split(maxsplit=2)
        if len(words) < 3:
            findings.append(Finding("exceptions", "structure_exceptions.txt", number,
                                    "an exception needs a rule, a path and a reason"))
            continue
        allowed[(words[0], words[1])] = number
    unused = dict(allowed)
    for check in CHECKS:
        for finding in check(files):
            key = (finding.rule, finding.key)
            unused.pop(key, None)
            if key not in allowed:
                findings.append(finding)
    for (rule, key), number in unused.items():
        findings.append(Finding("exceptions", "structure_exceptions.txt", number,
                                f"nothing needs the exception of {key} from {rule} any more"))
    return findings
