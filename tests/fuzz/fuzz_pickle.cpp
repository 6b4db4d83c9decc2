// The input is a data.pkl; every storage that it names exists, up to a few kilobytes.
#include <span>

#include "model_registry/checkpoint/flatten.hpp"
#include "model_registry/checkpoint/pickle.hpp"
#include "model_registry/checkpoint/rebuild.hpp"
#include "tests/fuzz/use_checkpoint.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using namespace tv::checkpoint;

// A buffer of exactly the bytes that the stream announces; its first doubles are usable as scales.
tv::Status find_blob(Blob& blob, std::uint64_t at, const Place& place) {
  constexpr std::int64_t kMaxNumel = 512;
  if (blob.numel > kMaxNumel) return refuse(place, at, "a large storage");
  const std::size_t size = static_cast<std::size_t>(blob.numel) * tv::dtype_size(blob.dtype);
  const std::shared_ptr<std::byte> bytes(new std::byte[size], std::default_delete<std::byte[]>());
  for (std::size_t i = 0; i < size; ++i)
    bytes.get()[i] =
        blob.dtype == tv::DType::kFloat64 && i % 8 == 7 ? std::byte{0x3F} : std::byte{0};
  blob.data = bytes.get();
  blob.owner = bytes;
  return {};
}

tv::Result<tv::Checkpoint> read(std::span<const std::byte> stream, const Place& place) {
  Heap heap;
  Budget budget;
  TensorMaker maker(heap, budget, place,
                    [&](Blob& blob, std::uint64_t at) { return find_blob(blob, at, place); });
  PickleMachine machine(stream, place, heap, budget, &maker);
  TV_ASSIGN_OR_RETURN(const Value root, machine.run());
  return flatten(heap, root, tv::CheckpointFormat::kZip, stream.size(), place, budget);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Place place{"x.pth", "data.pkl", 0};
  tv::fuzz::use(read(std::as_bytes(std::span(data, size)), place));
  return 0;
}
