// The frame of the tests is tested without itself: failures must be seen, and leave nothing behind.
#include <csignal>
#include <cstdio>

#include "model_registry/error.hpp"
#include "tests/suite.hpp"

namespace {

using tv::test::TempFolder;

START_TEST(passes) {
  const TempFolder folder;
  ck_assert(folder.write("file", "text") == folder.path("file") && folder.count() == 1);
}
END_TEST

START_TEST(fails) {
  const TempFolder folder;
  folder.write("file", "text");
  ck_abort_msg("on purpose");
}
END_TEST

START_TEST(dies) {
  const TempFolder folder;
  folder.write("file", "text");
  std::raise(SIGKILL);
}
END_TEST

START_TEST(takes_a_value) {
  ck_assert_int_eq(tv::test::value_of(tv::Result<int>(7)), 7);
  tv::test::expect_ok(tv::Status());
}
END_TEST

START_TEST(takes_the_value_of_an_error) {
  tv::test::value_of(tv::Result<int>(tv::Error{tv::Code::kInternal, "on purpose", ""}));
}
END_TEST

START_TEST(fails_the_third_time) {
  ck_assert_int_ne(_i, 2);
}
END_TEST

struct Row {
  const char* fork;  ///< as Check's CK_FORK
  Suite* suite;
  int status;
};

}  // namespace

int main() {
  const TempFolder outer;
  setenv("CK_VERBOSITY", "silent", 1);
  const auto suite = [](auto... tests) { return tv::test::make_suite("inner", 60, tests...); };
  const auto loop = [](int count) { return tv::test::Loop{fails_the_third_time, count}; };
  const Row rows[] = {
      {"yes", suite(passes), EXIT_SUCCESS},
      {"no", suite(passes), EXIT_SUCCESS},
      {"yes", suite(passes, fails), EXIT_FAILURE},
      {"no", suite(passes, fails), EXIT_FAILURE},
      {"yes", suite(dies, passes), EXIT_FAILURE},
      {"yes", suite(loop(2)), EXIT_SUCCESS},
      {"yes", suite(loop(3)), EXIT_FAILURE},
      {"yes", suite(takes_a_value), EXIT_SUCCESS},
      {"yes", suite(takes_the_value_of_an_error), EXIT_FAILURE},
  };
  int wrong = 0;
  for (const Row& row : rows) {
    setenv("TMPDIR", outer.path().c_str(), 1);
    setenv("CK_FORK", row.fork, 1);
    const int status = tv::test::run_suites({row.suite});
    if (status == row.status && outer.count() == 0) continue;
    ++wrong;
    std::printf("row %td: status %d, expected %d; %zu folders left\n", &row - rows, status,
                row.status, outer.count());
  }
  return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
