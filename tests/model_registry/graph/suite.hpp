// One Check suite a program.
#pragma once

#include <check.h>

#include <cstdlib>
#include <string>
#include <string_view>

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

/// Runs the tests of one case and returns the exit status.
template <typename... Tests>
int run_suite(const char* name, double timeout_seconds, Tests... tests) {
  Suite* const suite = suite_create(name);
  TCase* const tests_case = tcase_create(name);
  tcase_set_timeout(tests_case, timeout_seconds);
  (tcase_add_test(tests_case, tests), ...);
  suite_add_tcase(suite, tests_case);
  SRunner* const runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace tv::test
