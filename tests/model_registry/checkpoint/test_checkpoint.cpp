#include <cstdlib>

#include "tests/model_registry/checkpoint/support.hpp"

int main() {
  SRunner* runner = srunner_create(tensor_suite());
  srunner_add_suite(runner, file_suite());
  srunner_add_suite(runner, pickle_suite());
  srunner_add_suite(runner, mutation_suite());
  srunner_add_suite(runner, write_suite());
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
