// The bytes of a zip record: checksum, and inflating within bounds.
#include <zlib.h>

#include <memory>
#include <new>
#include <string>

#include "model_registry/checkpoint/fault.hpp"
#include "model_registry/checkpoint/zip.hpp"

namespace tv::checkpoint {
namespace {

// Weights compress to about nine tenths and pickles to about a tenth; deflate itself ends near
// 1032.
constexpr std::uint64_t kMaxRatio = 200;
constexpr std::uint64_t kRatioFloor = 64 << 10;  // small records may be as regular as they like

// Inflates into a buffer of exactly the announced size; true when stream and size end together.
bool inflate_all(const std::byte* in, std::size_t in_size, std::byte* out, std::size_t out_size) {
  constexpr std::size_t kStep = std::size_t{1} << 30;  // zlib counts in 32 bits
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
  std::byte spare{};
  std::size_t in_left = in_size;
  std::size_t out_left = out_size;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in));
  // zlib refuses a null pointer even where nothing is to be written.
  stream.next_out = reinterpret_cast<Bytef*>(out != nullptr ? out : &spare);
  int status = Z_OK;
  while (status == Z_OK) {
    const auto in_step = static_cast<uInt>(std::min(in_left, kStep));
    const auto out_step = static_cast<uInt>(std::min(out_left, kStep));
    stream.avail_in = in_step;
    stream.avail_out = out_step;
    status = inflate(&stream, Z_NO_FLUSH);
    const std::size_t consumed = in_step - stream.avail_in;
    const std::size_t produced = out_step - stream.avail_out;
    in_left -= consumed;
    out_left -= produced;
    if (status == Z_OK && consumed == 0 && produced == 0) break;
  }
  inflateEnd(&stream);
  return status == Z_STREAM_END && in_left == 0 && out_left == 0;
}

Result<RecordBytes> inflate_record(std::span<const std::byte> file, const Place& place,
                                   const ZipRecord& record, Budget& budget) {
  if (record.size > kRatioFloor && record.size / kMaxRatio > record.stored_size)
    return refuse(place, 0,
                  "refused a deflate bomb: " + std::to_string(record.stored_size) +
                      " bytes would become " + std::to_string(record.size));
  if (!budget.charge(record.size))
    return refuse(place, 0,
                  "inflating " + std::to_string(record.size) + " bytes would need more than " +
                      std::to_string(kMaxExtraBytes >> 20) + " MiB beyond the file's own size",
                  "unpack it and save it again with torch.save, which does not compress");
  const std::shared_ptr<std::byte> buffer(new (std::nothrow) std::byte[record.size + 1],
                                          std::default_delete<std::byte[]>());
  if (!buffer) return over_budget(place, 0);
  if (!inflate_all(file.data() + record.data_offset, record.stored_size, buffer.get(), record.size))
    return refuse(
        place, 0,
        "the compressed bytes do not inflate to " + std::to_string(record.size) + " bytes");
  return RecordBytes{buffer.get(), record.size, buffer};
}

}  // namespace

Result<RecordBytes> open_record(std::span<const std::byte> file, std::string_view path,
                                const ZipRecord& record, Budget& budget) {
  const std::string name = quoted(record.name);
  const Place place{path, name, record.data_offset};
  RecordBytes bytes{file.data() + record.data_offset, record.size, nullptr};
  if (record.method != 0) {
    TV_ASSIGN_OR_RETURN(bytes, inflate_record(file, place, record, budget));
  }
  const auto* data = reinterpret_cast<const Bytef*>(bytes.data);
  const auto crc = static_cast<std::uint32_t>(crc32_z(crc32_z(0, nullptr, 0), data, bytes.size));
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  if (crc != record.crc32) return refuse(place, 0, "its checksum (CRC-32) is wrong");
#else
  static_cast<void>(crc);  // a fuzzer cannot guess checksums
#endif
  return bytes;
}

}  // namespace tv::checkpoint
