// Small files of every layout, cut at every byte and with every single bit turned over.
//
// Zip files carry a checksum of every record, and what no checksum covers must agree in two places
// or means nothing here: so a changed bit gives an error or exactly the same tensors. Legacy files
// carry no checksum: a changed bit may make another valid file (another name, another number). What
// is asked of those is that whatever is accepted is sound (each view lies inside the file, every
// byte of it can be read, names are unique) and that one bit does not disturb more than one entry,
// or the entries that share what it changed; the digest of the whole file is what tells that it
// changed at all.
#include <algorithm>
#include <set>

#include "tests/model_registry/checkpoint/support.hpp"

namespace {

using tv::Checkpoint;
using tv::CheckpointValue;
using tv::FileBytes;
using tv::test::as_string;
using tv::test::file_of;
using tv::test::load_data;

bool same(const CheckpointValue& a, const CheckpointValue& b);

bool same_tensor(const tv::TensorView& a, const tv::TensorView& b) {
  if (a.dtype != b.dtype || a.sizes != b.sizes || a.strides != b.strides) return false;
  if (a.quantization.has_value() != b.quantization.has_value()) return false;
  if (a.quantization && (a.quantization->scales != b.quantization->scales ||
                         a.quantization->zero_points != b.quantization->zero_points ||
                         a.quantization->axis != b.quantization->axis))
    return false;
  return tv::contiguous_bytes(a) == tv::contiguous_bytes(b);
}

bool same(const CheckpointValue& a, const CheckpointValue& b) {
  if (a.value.index() != b.value.index()) return false;
  if (a.tensor() != nullptr) return same_tensor(*a.tensor(), *b.tensor());
  if (const auto* list = std::get_if<tv::CheckpointList>(&a.value)) {
    const auto& other = std::get<tv::CheckpointList>(b.value);
    return std::equal(list->begin(), list->end(), other.begin(), other.end(), same);
  }
  if (const auto* real = std::get_if<double>(&a.value)) return *real == std::get<double>(b.value);
  if (const auto* text = std::get_if<std::string>(&a.value))
    return *text == std::get<std::string>(b.value);
  if (const auto* integer = std::get_if<std::int64_t>(&a.value))
    return *integer == std::get<std::int64_t>(b.value);
  if (const auto* flag = std::get_if<bool>(&a.value)) return *flag == std::get<bool>(b.value);
  return true;
}

bool same(const Checkpoint& a, const Checkpoint& b) {
  return a.versions == b.versions &&
         std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(),
                    [](const auto& x, const auto& y) {
                      return x.first == y.first && same(x.second, y.second);
                    });
}

// Reads every byte that a view reaches; a sanitizer would stop at one outside.
void check_view(const tv::TensorView& view, const FileBytes* file) {
  std::int64_t last = 0;
  for (std::size_t d = 0; d < view.sizes.size(); ++d) {
    ck_assert_int_ge(view.sizes[d], 0);
    ck_assert_int_ge(view.strides[d], 0);
    last += (view.sizes[d] - 1) * view.strides[d];
  }
  const std::size_t item = tv::dtype_size(view.dtype);
  if (view.numel() > 0 && file != nullptr) {
    ck_assert(view.data >= file->data.get());
    ck_assert(view.data + (static_cast<std::size_t>(last) + 1) * item <=
              file->data.get() + file->size);
  }
  ck_assert_uint_eq(tv::contiguous_bytes(view).size(),
                    static_cast<std::size_t>(view.numel()) * item);
}

void check_value(const CheckpointValue& value, const FileBytes* file) {
  if (value.tensor() != nullptr) check_view(*value.tensor(), file);
  if (const auto* list = std::get_if<tv::CheckpointList>(&value.value))
    for (const CheckpointValue& item : *list) check_value(item, file);
}

void check_sound(const Checkpoint& checkpoint, const FileBytes* file) {
  std::set<std::string> names;
  for (const auto& [name, value] : checkpoint.entries) {
    ck_assert(names.insert(name).second);
    check_value(value, file);
  }
}

void check_refusal(const tv::Error& error) {
  ck_assert_msg(error.code == tv::Code::kBadCheckpoint, "%s", error.what.c_str());
  ck_assert_msg(error.what.starts_with("x.pth: "), "%s", error.what.c_str());
}

Checkpoint read_whole(const std::string& bytes) {
  return tv::test::value_of(tv::read_checkpoint(file_of(bytes)));
}

const char* const kZips[] = {"zip.pth",      "stored.pth",     "deflated.pth", "zip64.pth",
                             "streamed.pth", "streamed64.pth", "tensor.pt"};

START_TEST(layouts_hold_the_same_tensors) {
  const Checkpoint legacy = read_whole(load_data("legacy.pth"));
  ck_assert(legacy.format == tv::CheckpointFormat::kLegacy);
  ck_assert_uint_eq(legacy.entries.size(), 13);
  ck_assert_int_eq(legacy.versions.at("bn"), 2);
  check_sound(legacy, nullptr);
  for (const char* name : kZips) {
    const Checkpoint zip = read_whole(load_data(name));
    ck_assert(zip.format == tv::CheckpointFormat::kZip);
    ck_assert_msg(same(zip, legacy) == (std::string_view(name) != "tensor.pt"), "%s", name);
  }
}
END_TEST

START_TEST(zip_cut_at_every_byte) {
  for (const char* name : kZips) {
    const std::string whole = load_data(name);
    for (std::size_t length = 0; length < whole.size(); ++length) {
      const auto read = tv::read_checkpoint(file_of(std::string_view(whole).substr(0, length)));
      ck_assert_msg(!read, "%s cut to %zu bytes was read", name, length);
      check_refusal(read.error());
    }
  }
}
END_TEST

START_TEST(zip_with_every_bit_turned) {
  const char* name = kZips[_i];
  std::string bytes = load_data(name);
  const Checkpoint base = read_whole(bytes);
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    const auto read = tv::read_checkpoint(file_of(bytes));
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    if (read) {
      ck_assert_msg(same(*read, base), "%s: bit %zu of byte %zu changes what is read", name,
                    bit % 8, bit / 8);
    } else {
      check_refusal(read.error());
      ++refused;
    }
  }
  // Were the checks not made, most of these would be read.
  ck_assert_msg(refused > bytes.size() * 2, "%s: only %zu refused", name, refused);
}
END_TEST

START_TEST(legacy_cut_at_every_byte) {
  const std::string whole = load_data("legacy.pth");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto read = tv::read_checkpoint(file_of(std::string_view(whole).substr(0, length)));
    ck_assert_msg(!read, "cut to %zu bytes was read", length);
    check_refusal(read.error());
  }
}
END_TEST

START_TEST(legacy_with_every_bit_turned) {
  std::string bytes = load_data("legacy.pth");
  const Checkpoint base = read_whole(bytes);
  std::size_t refused = 0, equal = 0, other = 0;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    const FileBytes file = file_of(bytes);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    const auto read = tv::read_checkpoint(file);
    if (!read) {
      check_refusal(read.error());
      ++refused;
      continue;
    }
    check_sound(*read, &file);
    if (same(*read, base)) {
      ++equal;
      continue;
    }
    ++other;
    ck_assert_msg(read->entries.size() == base.entries.size(), "bit %zu of byte %zu", bit % 8,
                  bit / 8);
    std::size_t different = 0;
    for (std::size_t i = 0; i < base.entries.size(); ++i)
      different += read->entries[i].first != base.entries[i].first ||
                   !same(read->entries[i].second, base.entries[i].second);
    ck_assert_msg(different <= 2, "bit %zu of byte %zu changes %zu entries", bit % 8, bit / 8,
                  different);
  }
  ck_assert_msg(refused > bytes.size() * 3, "only %zu refused, %zu equal, %zu other", refused,
                equal, other);
  ck_assert_uint_gt(other, 0);
}
END_TEST

}  // namespace

Suite* mutation_suite() {
  return tv::test::make_suite(
      "mutations", 120, layouts_hold_the_same_tensors, zip_cut_at_every_byte,
      tv::test::Loop{zip_with_every_bit_turned, static_cast<int>(std::size(kZips))},
      legacy_cut_at_every_byte, legacy_with_every_bit_turned);
}
