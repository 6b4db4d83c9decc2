// The input is a whole file. In a fuzzing build wrong checksums pass (zip_record.cpp): a mutation
// would otherwise never get beyond them.
#include "tests/fuzz/use_checkpoint.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tv::fuzz;
  use(tv::read_checkpoint(file_of({reinterpret_cast<const char*>(data), size})));
  return 0;
}
