#!/usr/bin/env python3
"""Each check must find its bad example and leave its good one alone."""

import sys
import unittest

sys.dont_write_bytecode = True
import structure_checks as checks  # noqa: E402


def found(check, files):
    return [f"{finding.path}:{finding.line}" for finding in check(files)]


def body(lines):
    return "{\n" + "  int x = 0;\n" * (lines - 2) + "}\n"


class IncludesTest(unittest.TestCase):
    def check(self, path, line):
        files = {"base/a.h": "", "device/a.h": "", "extent_map/a.h": "", "gc/a.h": "",
                 "sim/a.h": "", "cli/a.h": "", "bench/a.h": "", path: f"// A comment.\n{line}\n"}
        return found(checks.check_includes, files)

    def test_direction(self):
        for path, header in [("base/x.cc", "device"), ("device/x.cc", "extent_map"),
                             ("extent_map/x.cc", "device"), ("gc/x.cc", "sim"), ("sim/x.h", "cli"),
                             ("cli/x.cc", "bench"), ("third_party/x.cc", "base")]:
            self.assertEqual(self.check(path, f'#include "{header}/a.h"'), [f"{path}:2"])
        for path, header in [("gc/x.cc", "extent_map"), ("gc/x.cc", "gc"), ("cli/x.cc", "sim"),
                             ("tests/gc/x.cc", "cli"), ("bench/x.cc", "device")]:
            self.assertEqual(self.check(path, f'#include "{header}/a.h"'), [])

    def test_form(self):
        for line in ['#include "a.h"', '#include "gtest/gtest.h"', '#  include "vector"',
                     "#include <base/a.h>", '#include "base/missing.h"', '#include "./base/a.h"']:
            self.assertEqual(self.check("gc/x.cc", line), ["gc/x.cc:2"], line)
        for line in ['#include "absl/status/status.h"', "#include <vector>", "#include <linux/fs.h>",
                     '// #include "sim/a.h"', '/* #include "sim/a.h" */']:
            self.assertEqual(self.check("gc/x.cc", line), [], line)


class OrphansTest(unittest.TestCase):
    def test_what_no_build_lists(self):
        files = {
            "gc/BUILD": 'srcs = ["a.cc", "sub/b.cc"]  # "c.cc"\n',
            "gc/a.cc": "", "gc/sub/b.cc": "", "gc/c.cc": "", "gc/d.h": "", "BUILD": "", "e.py": "",
            "dev": "tools/run.sh", "tools/run.sh": "", "tools/old.sh": "", "README.md": "gc/c.cc",
        }
        self.assertEqual(found(checks.check_orphans, files),
                         ["gc/c.cc:1", "gc/d.h:1", "e.py:1", "tools/old.sh:1"])


class LengthsTest(unittest.TestCase):
    def names(self, text):
        return checks.cpp_functions(text)

    def test_function_limit(self):
        for head in ["void F() ", "TEST(A, B) ", "Type::Type(int a)\n    : a_{a}, b_(1), c_{2} ",
                     "template <typename T = A<B<int>>>\nauto F(T t) -> int ", "bool X::operator<(T) const ",
                     "struct io* Get() ", "static auto f = [](int x) "]:
            lines = head.count("\n")
            good, bad = head + body(70 - lines), head + body(71 - lines)
            self.assertEqual(found(checks.check_lengths, {"gc/a.cc": good}), [], head)
            self.assertEqual(found(checks.check_lengths, {"gc/a.cc": bad}), ["gc/a.cc:1"], head)
            inside = "namespace a {\nclass X : public Y {\n public:\n" + bad + "};\n}\n"
            self.assertEqual(found(checks.check_lengths, {"gc/a.h": inside}), ["gc/a.h:4"], head)
        python = "def f():\n" + "    pass\n" * 70
        self.assertEqual(found(checks.check_lengths, {"tools/a.py": python}), ["tools/a.py:1"])

    def test_what_is_no_function(self):
        for head in ["namespace a::b ", "class ABSL_LOCKABLE X ", "struct alignas(64) X : public Y ",
                     "enum class X : int ", 'extern "C" ', "const int kTable[] = "]:
            self.assertEqual(self.names(head + body(90) + ";"), [], head)

    def test_names_and_braces_in_text(self):
        text = '''// { a comment
#define OPEN(x) do { \\
    if (x) {
class X {
  X() : a_{1} { F("}{", '{', 1'000); }
  int f() const { return R"x({{{)" ")x"[0]; }  /* } */
};
TEST_F(FooTest, Works) {
  auto g = [] { return 1; };
}
int A::B(int (*p)()) { if (p) { return 1; } return 2; }
'''
        self.assertEqual(self.names(text), [("X", 5, 5), ("f", 6, 6), ("FooTest.Works", 8, 10),
                                            ("A::B", 11, 11)])

    def test_file_limit(self):
        self.assertEqual(found(checks.check_lengths, {"gc/a.cc": "\n" * 500}), [])
        self.assertEqual(found(checks.check_lengths, {"gc/a.cc": "\n" * 501}), ["gc/a.cc:1"])
        self.assertEqual(found(checks.check_lengths, {"docs/a.md": "\n" * 501}), [])


class LinesTest(unittest.TestCase):
    def test_marks(self):
        text = "int x;\n// FIX" + "ME later\n"
        self.assertEqual(found(checks.check_marks, {"gc/a.cc": text, "a.md": text}), ["gc/a.cc:2"])

    def test_machine_paths(self):
        for path in ["work/x", "root", "home/me/x"]:
            self.assertEqual(found(checks.check_machine_paths, {"a.md": f"see `/{path}`"}),
                             ["a.md:1"], path)
        self.assertEqual(found(checks.check_machine_paths, {"a.md": "read/work, //root:x, /rooted"}), [])

    def test_headers(self):
        good = "// What it is.\n#pragma once\n"
        self.assertEqual(found(checks.check_headers, {"a.h": good, "a.cc": ""}), [])
        self.assertEqual(found(checks.check_headers, {"a.h": "// #pragma once\n"}), ["a.h:1"])
        self.assertEqual(found(checks.check_headers, {"a.h": "#pragma once\n"}), ["a.h:1"])


class BuildTest(unittest.TestCase):
    def test_visibility(self):
        for bad in ['visibility = ["//visibility:public"],', 'visibility = ["//gc:__pkg__"],',
                    'package(default_visibility = ["//visibility:public"])', "visibility = EVERYONE,",
                    'exports_files(["a"])']:
            self.assertEqual(found(checks.check_visibility, {"gc/BUILD": f"\n{bad}\n"}), ["gc/BUILD:2"], bad)
            self.assertEqual(found(checks.check_visibility, {"gc/BUILD": f"\n{bad}  # why\n"}), [], bad)
        private = 'package(default_visibility = ["//visibility:private"])\n'
        self.assertEqual(found(checks.check_visibility, {"gc/BUILD": private}), [])
        several = 'visibility = [\n    "//a:__pkg__",  # why\n    "//b:__pkg__",\n],\n'
        self.assertEqual(found(checks.check_visibility, {"gc/BUILD": several}), ["gc/BUILD:3"])

    def test_lists(self):
        for bad in ['srcs = glob(["*.cc"])', 'deps = ["//b", "//a"]', 'deps = ["//a", ":b"]']:
            self.assertEqual(found(checks.check_build_lists, {"gc/BUILD": bad}), ["gc/BUILD:1"], bad)
        good = 'srcs = ["a.cc"],  # no glob()\ndeps = [":b", ":c", "//a:x", "//a/b"]'
        self.assertEqual(found(checks.check_build_lists, {"gc/BUILD": good}), [])


class BannedTest(unittest.TestCase):
    def test_calls(self):
        for bad in ["std::rand()", "srand(1)", "std::mt19937_64 r;", "std::random_device d;", "time(nullptr)", "std::time(0)",
                    "absl::Now()", "std::chrono::steady_clock::now()", "absl::SleepFor(x)",
                    "std::this_thread::sleep_for(x)", "usleep(1)", "assert(x)", "#include <cassert>",
                    "absl::Mutex mu;", "std::lock_guard<std::mutex> l(m);"]:
            self.assertIn("gc/a.cc:2", found(checks.check_banned, {"gc/a.cc": f"\n{bad}\n"}), bad)
        for good in ["operand(1)", "static_assert(x)", "request.time(0)", "// time(nullptr)",
                     '"absl::Now()"', "clock.Now()", "Mutex mu;", "DoSleep(1)"]:
            self.assertEqual(found(checks.check_banned, {"gc/a.cc": good}), [], good)
        for path, good in [("bench/a.cc", "absl::Now()"), ("tests/a.cc", "std::random_device()()")]:
            self.assertEqual(found(checks.check_banned, {path: good}), [], path)


class ExcerptsTest(unittest.TestCase):
    SOURCE = "class A {\n  void F() {\n    G();\n  }\n};\n\nint main() {\n}\n"

    def check(self, block, link="[x](examples/x/x.cc)"):
        return found(checks.check_excerpts, {"README.md": f"{link}\n```cpp\n{block}```\n",
                                             "examples/x/x.cc": self.SOURCE})

    def test_lines_of_the_program(self):
        for good in ["class A {\n  …\n};\n", "void F() {\n  G();\n}\n…\nint main() {\n}\n",
                     self.SOURCE]:
            self.assertEqual(self.check(good), [], good)
        for bad in ["class B {\n  …\n};\n", "class A {\n};\n", "  H();\n",
                    "int main() {\n…\nclass A {\n", "G();\n…\nG();\n"]:
            self.assertEqual(self.check(bad), ["README.md:2"], bad)
        self.assertEqual(self.check("G();\n", link="no link"), ["README.md:2"])
        self.assertEqual(self.check("G();\n", link="[x](gone.cc)"), ["README.md:2"])


class TreeTest(unittest.TestCase):
    FILES = {"gc/BUILD": '"a.cc"', "gc/a.cc": "void F() " + body(71)}

    def test_exceptions(self):
        def rules(text):
            return [finding.rule for finding in checks.check_tree(self.FILES, text)]

        self.assertEqual(rules(""), ["function-lines"])
        self.assertEqual(rules("# why\nfunction-lines gc/a.cc:F one table of cases"), [])
        self.assertEqual(rules("function-lines gc/a.cc:F"), ["exceptions", "function-lines"])
        self.assertEqual(rules("function-lines gc/a.cc:F why\nmark gc/a.cc why"), ["exceptions"])

    def test_every_check_runs(self):
        defined = [value for name, value in vars(checks).items() if name.startswith("check_")]
        self.assertEqual(set(checks.CHECKS), set(defined) - {checks.check_tree})


if __name__ == "__main__":
    unittest.main()
