// What the programs of Check tests share.
#pragma once

#include <stdlib.h>

#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "tests/temp_folder.hpp"
// After the standard library: its macro fail() is the name of a stream's member.
#include <check.h>
#undef fail

namespace tv::test {

/// Fails with both texts unless `text` contains `part`.
inline void expect_contains(std::string_view text, std::string_view part) {
  ck_assert_msg(text.find(part) != std::string_view::npos, "expected \"%s\" in \"%s\"",
                std::string(part).c_str(), std::string(text).c_str());
}

inline void expect_equal(std::string_view found, std::string_view expected) {
  ck_assert_msg(found == expected, "found\n%s\nexpected\n%s", std::string(found).c_str(),
                std::string(expected).c_str());
}

/// Fails with the error's text unless a Result or Status is good.
template <typename R>
void expect_ok(const R& result) {
  ck_assert_msg(static_cast<bool>(result), "%s", result ? "" : result.error().text().c_str());
}

/// The value of a Result that must have one.
template <typename R>
auto value_of(R result) {
  expect_ok(result);
  return std::move(*result);
}

/// A test that runs `count` times, with _i from 0.
struct Loop {
  const TTest* test;
  int count;
};
inline void add_test(TCase* tests, const TTest* test) {
  tcase_add_test(tests, test);
}
inline void add_test(TCase* tests, const Loop& loop) {
  tcase_add_loop_test(tests, loop.test, 0, loop.count);
}

/// A suite of one case; each test is a START_TEST or a Loop. The timeout is each test's; 0: none.
template <typename... Tests>
Suite* make_suite(const char* name, double timeout_seconds, Tests... tests) {
  Suite* const suite = suite_create(name);
  TCase* const tests_case = tcase_create(name);
  tcase_set_timeout(tests_case, timeout_seconds);
  (add_test(tests_case, tests), ...);
  suite_add_tcase(suite, tests_case);
  return suite;
}

/// Runs all and returns the exit status. TMPDIR is a folder of this run: a test that fails leaves
/// its scope without a destructor, so what it made is removed here.
inline int run_suites(std::initializer_list<Suite*> suites) {
  const TempFolder folder;
  setenv("TMPDIR", folder.path().c_str(), 1);
  SRunner* const runner = srunner_create(nullptr);
  for (Suite* suite : suites) srunner_add_suite(runner, suite);
  srunner_run_all(runner, CK_ENV);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/// Runs the tests of one case and returns the exit status.
template <typename... Tests>
int run_suite(const char* name, double timeout_seconds, Tests... tests) {
  return run_suites({make_suite(name, timeout_seconds, tests...)});
}

}  // namespace tv::test
