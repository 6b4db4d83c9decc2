#include "tests/model_registry/checkpoint/support.hpp"

int main() {
  return tv::test::run_suites(
      {tensor_suite(), file_suite(), pickle_suite(), mutation_suite(), write_suite()});
}
