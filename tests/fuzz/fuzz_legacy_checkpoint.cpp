// The input is a legacy file without its first pickle, the magic number.
#include "model_registry/checkpoint/formats.hpp"
#include "tests/fuzz/use_checkpoint.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tv::fuzz;
  std::string bytes(reinterpret_cast<const char*>(tv::checkpoint::kLegacyMagic),
                    sizeof tv::checkpoint::kLegacyMagic);
  bytes.append(reinterpret_cast<const char*>(data), size);
  use(tv::read_checkpoint(file_of(std::move(bytes))));
  return 0;
}
