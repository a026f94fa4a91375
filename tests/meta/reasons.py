# SPDX-License-Identifier: MIT
"""One list of reasons: header = table = tests = manual."""
import re

import meta

REASON = r"GMEM_REASON_[A-Z0-9_]+"


def header():
    """{constant: number} of the enumeration, without NONE."""
    enum = re.search(r"enum gmem_reason \{(.*?)\};",
                     meta.text("include/gmem_error.h"), re.S)[1]
    found = re.findall(rf"({REASON}) = (\d+)", enum)
    return {name: int(number) for name, number in found
            if name != "GMEM_REASON_NONE"}


def table():
    """{constant: (name, code)} of lib/reason.c; code is "0" or "-E..."."""
    found = re.findall(rf'\[({REASON})\]\s*=\s*\{{\s*"([^"]+)",\s*(0|-E\w+)',
                       meta.text("lib/reason.c"))
    return {constant: (name, code) for constant, name, code in found
            if constant != "GMEM_REASON_NONE"}


# What only a program in C understands: in remedies, and in messages, of which
# those on the size of a struct reach no other program.
C_MESSAGE = r"\bGMEM_[A-Z]|\berr->|\bgmem_\w+\(3\)"
C_REMEDY = (rf"{C_MESSAGE}|\bstruct\b|\bsizeof\b|\.sz\b|\bgmem\.h\b|\bNULL\b"
            r"|\b\w+_\w+ 0\b")
LITERAL = r'"((?:\\.|[^"\\\n])*)"'


def remedies(path, row):
    """{constant: text} of the rows that @row, with its text last, matches."""
    found = re.findall(rf"\[({REASON})\]\s*=\s*{row}((?:\s*{LITERAL})+)",
                       re.sub(r'" GMEM_DEVICE "', "/dev/kvm", meta.text(path)))
    return {constant: "".join(re.findall(LITERAL, text))
            for constant, text, _ in found if constant != "GMEM_REASON_NONE"}


def mdoc_entries(page):
    """(codes, name, constant) of ".It Bo Er E , E Bc Cm name Pq Dv CONST"."""
    found = re.findall(rf"^\.It Bo Er (.*) Bc Cm (\S+) Pq Dv ({REASON})$",
                       page, re.M)
    return [(re.findall(r"E\w+", codes), name, constant)
            for codes, name, constant in found]


def wrong_entries(path, page):
    """What an entry says other than the table does."""
    for codes, name, constant in mdoc_entries(page):
        if constant not in table():
            continue
        want, code = table()[constant]
        if name != want:
            yield f"{path} calls {constant} {name}, not {want}"
        if code != "0" and codes != [code[1:]]:
            yield f"{path}: {constant} is {code[1:]}, not {' '.join(codes)}"


def every_reason_is_in_the_table():
    return meta.differ("gmem_error.h", header(), "lib/reason.c", table())


def numbers_and_names_are_unique():
    for what, values in (("number", list(header().values())),
                         ("name", [name for name, _ in table().values()])):
        for value in sorted({v for v in values if values.count(v) > 1}):
            yield f"{what} {value} stands for two reasons"


def names_follow_from_the_constants():
    for constant, (name, _) in table().items():
        want = constant.removeprefix("GMEM_REASON_").lower().replace("_", "-")
        if name != want:
            yield f"{constant} is called {name}, not {want}"


def every_reason_has_a_test_that_provokes_it():
    tests = "".join(meta.text(path) for path in
                    meta.files("tests/unit/*.c", "tests/fault/*.c",
                               "tests/live/*.c"))
    tests = re.sub(r"/\*.*?\*/", "", tests, flags=re.S)
    return (f"no test names {constant}" for constant in header()
            if not re.search(rf"\b{constant}\b", tests))


def every_reason_is_given_by_the_library():
    code = "".join(meta.text(path) for path in meta.files("lib/*.c")
                   if path.name != "reason.c")
    return (f"no code of lib/ gives {constant}" for constant in header()
            if not re.search(rf"\b{constant}\b", code))


def no_message_of_the_library_needs_c():
    for path in meta.files("lib/*.c"):
        for text in re.findall(LITERAL, meta.text(path)):
            if path.name != "reason.c" and re.search(C_MESSAGE, text):
                yield f"{path}: a user of gmemctl may read '{text}'"


def no_sentence_of_gmemctl_needs_c():
    """But the variables that it sets, and the pages that why asks about."""
    for path in meta.files("cli/*.c", "cli/*/*.c", "cli/*/*/*.c"):
        text = re.sub(r"/\*.*?\*/", "", meta.text(path), flags=re.S)
        for said in re.findall(LITERAL, text):
            if re.search(r"\bGMEM_(?!FD|HAS_)[A-Z]|\berr->", said):
                yield f"{path}: a user of gmemctl may read '{said}'"


def gmemctl_s_remedies_need_no_c():
    path = "cli/report/error.c"
    library = remedies("lib/reason.c", r'\{\s*"[^"]+",\s*(?:0|-E\w+),')
    own = remedies(path, r"\{")
    ours = re.findall(rf"\[({REASON})\] = \{{ OURS }},", meta.text(path))
    yield from meta.differ("lib/reason.c", library, "gmem_error.h", header())
    for constant, text in {**library, **own}.items():
        if constant not in ours and re.search(C_REMEDY, text):
            yield f"{constant}: a user of gmemctl may read '{text}'"


# Cases that follow a remedy on the way to something else.
ALSO_FOLLOWED = {
    "address-limit": "unit/reservation.c rlimit_as_refuses_it",
    "already-owned": "unit/adopted.c a_file_has_one_handle",
    "device-access":
        "cli/probe_test.py test_each_remedy_leads_on",
    "foreign-vm": "unit/slot_check.c a_foreign_file_goes_by_hva",
    "has-files": "unit/vm.c close_waits_for_the_files",
    "hugetlb-contradicted":
        "unit/adopt.c the_page_size_that_a_file_tells_is_verified",
    "in-region": "unit/region.c only_the_region_changes_its_file",
    "no-room": "cli/space_test.py "
               "test_only_who_asks_for_it_goes_past_a_limit",
    "no-progress":
        "vm/exits.c a_guest_goes_on_once_kernel_and_record_agree",
    "not-mapped": "unit/map.c munmap_takes_only_what_mmap_gave",
    "poisoned": "unit/poison.c discarded_it_is_a_new_page",
    "page-in-use":
        "unit/attr.c a_lasting_one_is_reported_after_a_bounded_wait",
    "readonly-unsupported":
        "unit/slot_refused.c without_read_only_slots_others_are_bound",
    "region-memory":
        "unit/region_refused.c what_is_behind_a_slot_is_the_regions",
    "reset-pending":
        "unit/threads.c a_retried_reset_does_not_undo_another_bind",
    "run-size": "unit/exit.c a_kvm_run_that_is_cut_off_is_refused",
    "slot-stuck": "unit/stuck.c as_long_as_it_stays_it_is_in_the_way",
    "vm-type-contradicted":
        "live/vm.c adopt_refuses_a_type_that_the_vm_contradicts",
    "shared-memory": "unit/region_shared.c a_file_has_to_suit",
    "still-mapped": "unit/file.c close_waits_for_slots_and_mappings",
    "unreachable":
        "vm/exits.c what_was_unreachable_is_used_once_there_is_memory",
}


def every_remedy_is_followed():
    """It works, or leads to a refusal that does not lead back."""
    cli = re.findall(r'^    "([a-z0-9-]+)": \(', meta.text("tests/cli/remedy_test.py"),
                     re.M)
    unit = re.findall(rf"^\t\{{ ({REASON}), ", meta.text("tests/unit/followed.c"), re.M)
    unit = [table()[constant][0] for constant in unit]
    names = {name for name, _ in table().values()}
    followed = [*cli, *unit, *ALSO_FOLLOWED]
    yield from (f"nothing follows the remedy of {name}"
                for name in sorted(names - set(followed)))
    yield from (f"{name} is no reason" for name in followed if name not in names)
    for name, where in ALSO_FOLLOWED.items():
        path, case = where.split()
        if not re.search(rf"\b{case}\b", meta.text(f"tests/{path}")):
            yield f"there is no {where}, for {name}"


def every_reason_is_in_gmem_reasons_7():
    page = meta.text("man/gmem_reasons.7")
    listed = [constant for _, _, constant in mdoc_entries(page)]
    yield from meta.differ("gmem_reasons.7", listed, "gmem_error.h", header())
    yield from wrong_entries("gmem_reasons.7", page)


def every_reason_is_an_error_of_some_call():
    listed = set()
    for path in meta.files("man/*.3"):
        errors = meta.section(meta.text(path), "ERRORS")
        listed |= {constant for _, _, constant in mdoc_entries(errors)}
        yield from wrong_entries(path, errors)
    yield from meta.differ("ERRORS of section 3", listed, "gmem_error.h", header())


meta.run(every_reason_is_in_the_table, numbers_and_names_are_unique,
         names_follow_from_the_constants,
         every_reason_has_a_test_that_provokes_it,
         every_reason_is_given_by_the_library,
         no_message_of_the_library_needs_c,
         no_sentence_of_gmemctl_needs_c, gmemctl_s_remedies_need_no_c,
         every_remedy_is_followed, every_reason_is_in_gmem_reasons_7,
         every_reason_is_an_error_of_some_call)
