#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "model_registry/checkpoint/zip.hpp"
#include "tests/model_registry/checkpoint/support.hpp"

namespace {

namespace fs = std::filesystem;
using tv::DType;
using tv::TensorView;
using tv::test::TempFolder;

const float kFloats[] = {1, 2, 3, 4, 5, 6};

TensorView floats(tv::Shape sizes, tv::Shape strides) {
  TensorView view;
  view.sizes = std::move(sizes);
  view.strides = std::move(strides);
  view.data = reinterpret_cast<const std::byte*>(kFloats);
  return view;
}

tv::Checkpoint read_back(const std::string& path) {
  const auto file = tv::read_file(path);
  tv::test::expect_ok(file);
  return tv::test::value_of(tv::read_checkpoint(*file));
}

void expect_error(const tv::Status& status, tv::Code code, const char* text) {
  ck_assert(!status);
  ck_assert_msg(status.error().code == code, "%s", status.error().what.c_str());
  ck_assert_msg(status.error().what.find(text) != std::string::npos, "%s",
                status.error().what.c_str());
}

START_TEST(state_dict_reads_back) {
  const TempFolder folder;
  TensorView quantized = floats({2, 3}, {1, 2});
  quantized.dtype = DType::kQUInt8;
  quantized.quantization = tv::Quantization{{0.5, 0.25, 2}, {0, 7, 255}, 1};
  const std::string path = folder.path("net.v1.pth");
  const tv::Status written = tv::write_state_dict(path,
                                                  {{"a.weight", floats({3, 2}, {1, 3})},
                                                   {"a.scalar", floats({}, {})},
                                                   {"none", floats({0, 4}, {4, 1})},
                                                   {"q", quantized}},
                                                  {{"", 1}, {"a", 2}});
  tv::test::expect_ok(written);
  const tv::Checkpoint checkpoint = read_back(path);
  ck_assert_uint_eq(checkpoint.entries.size(), 4);
  const TensorView& weight = *checkpoint.find("a.weight")->tensor();
  ck_assert(weight.sizes == (tv::Shape{3, 2}) && weight.strides == (tv::Shape{2, 1}));
  const float expected[] = {1, 4, 2, 5, 3, 6};
  ck_assert_int_eq(std::memcmp(weight.data, expected, sizeof expected), 0);
  ck_assert_uint_eq(reinterpret_cast<std::uintptr_t>(weight.data) % 64, 0);
  ck_assert_int_eq(checkpoint.find("none")->tensor()->numel(), 0);
  const TensorView& q = *checkpoint.find("q")->tensor();
  ck_assert(q.quantization && q.quantization->scales == quantized.quantization->scales);
  ck_assert(q.quantization->zero_points == quantized.quantization->zero_points &&
            q.quantization->axis == 1);
  ck_assert_int_eq(checkpoint.versions.at("a"), 2);
  ck_assert_uint_eq(checkpoint.versions.size(), 2);
  ck_assert_uint_eq(folder.count(), 1);
}
END_TEST

START_TEST(tensor_reads_back) {
  const TempFolder folder;
  ck_assert(static_cast<bool>(tv::write_tensor(folder.path("y.pt"), floats({2, 3}, {3, 1}))));
  const tv::Checkpoint checkpoint = read_back(folder.path("y.pt"));
  ck_assert_uint_eq(checkpoint.entries.size(), 1);
  tv::test::expect_equal(checkpoint.entries[0].first, "");
  ck_assert(tv::contiguous_bytes(*checkpoint.entries[0].second.tensor()) ==
            tv::contiguous_bytes(floats({2, 3}, {3, 1})));
}
END_TEST

START_TEST(records_are_named_after_the_file) {
  const TempFolder folder;
  const struct {
    const char* file;
    const char* record;
  } kRows[] = {{"net.v1.pth", "net.v1/data.pkl"}, {"plain", "plain/data.pkl"},
               {".hidden", ".hidden/data.pkl"},   {"back\\slash.pt", "archive/data.pkl"},
               {"\xff.pt", "archive/data.pkl"},   {"...pt", "archive/data.pkl"}};
  for (const auto& row : kRows) {
    ck_assert(static_cast<bool>(tv::write_tensor(folder.path(row.file), floats({2}, {1}))));
    const auto file = tv::read_file(folder.path(row.file));
    tv::checkpoint::Budget budget;
    const auto records = tv::checkpoint::read_zip_directory(file->span(), "x", budget);
    ck_assert(static_cast<bool>(records));
    const bool found = std::any_of(records->begin(), records->end(),
                                   [&](const auto& record) { return record.name == row.record; });
    ck_assert_msg(found, "%s", row.file);
  }
}
END_TEST

START_TEST(takes_the_longest_names) {
  const TempFolder folder;
  const std::string path = folder.path(std::string(252, 'a') + ".pt");
  const tv::Status written = tv::write_tensor(path, floats({2}, {1}));
  tv::test::expect_ok(written);
  ck_assert_uint_eq(read_back(path).entries.size(), 1);
  expect_error(tv::write_tensor(folder.path(std::string(256, 'a')), floats({2}, {1})),
               tv::Code::kUnwritable, "File name too long");
  ck_assert_uint_eq(folder.count(), 1);
}
END_TEST

START_TEST(replaces_a_file_and_keeps_it_on_failure) {
  const TempFolder folder;
  const std::string path = folder.path("y.pt");
  ck_assert(static_cast<bool>(tv::write_tensor(path, floats({6}, {1}))));
  ck_assert(static_cast<bool>(tv::write_tensor(path, floats({2}, {1}))));
  ck_assert(read_back(path).entries[0].second.tensor()->sizes == tv::Shape{2});
  // Nothing of what is refused below may touch it, or leave a temporary file.
  expect_error(tv::write_state_dict(path, {{"a", floats({2}, {1})}, {"a", floats({2}, {1})}}),
               tv::Code::kInvalidArgument, "two tensors are called \"a\"");
  ck_assert(read_back(path).entries[0].second.tensor()->sizes == tv::Shape{2});
  ck_assert_uint_eq(folder.count(), 1);
}
END_TEST

START_TEST(full_disk_leaves_nothing) {
  const TempFolder folder;
  const std::vector<float> large(1 << 20);
  TensorView view = floats({1 << 20}, {1});
  view.data = reinterpret_cast<const std::byte*>(large.data());
  rlimit before{};
  ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{1 << 16, before.rlim_max};
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
  const tv::Status status = tv::write_tensor(folder.path("y.pt"), view);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  expect_error(status, tv::Code::kNoSpace, "y.pt: cannot write: File too large");
  ck_assert_uint_eq(folder.count(), 0);
}
END_TEST

START_TEST(refuses_bad_targets) {
  const TempFolder folder;
  const TensorView good = floats({2}, {1});
  expect_error(tv::write_tensor(folder.path("absent/y.pt"), good), tv::Code::kUnwritable,
               "No such file");
  expect_error(tv::write_tensor("", good), tv::Code::kUnwritable, "empty path");
  expect_error(tv::write_tensor(folder.path("."), good), tv::Code::kUnwritable, "no regular file");
  ck_assert_int_eq(mkfifo(folder.path("fifo").c_str(), 0600), 0);
  expect_error(tv::write_tensor(folder.path("fifo"), good), tv::Code::kUnwritable,
               "no regular file");
  ck_assert(fs::is_fifo(folder.path("fifo")));
}
END_TEST

START_TEST(refuses_bad_tensors) {
  const TempFolder folder;
  const std::string path = folder.path("y.pt");
  expect_error(tv::write_tensor(path, floats({2}, {})), tv::Code::kInvalidArgument,
               "as many strides");
  TensorView plain = floats({2}, {1});
  plain.quantization = tv::Quantization{{1}, {0}, -1};
  expect_error(tv::write_tensor(path, plain), tv::Code::kInvalidArgument, "only quantised dtypes");
  TensorView channels = floats({2, 3}, {3, 1});
  channels.dtype = DType::kQInt8;
  channels.quantization = tv::Quantization{{1, 1}, {0, 0}, 1};
  expect_error(tv::write_tensor(path, channels), tv::Code::kInvalidArgument,
               "one scale and one zero point");
  channels.quantization->axis = 2;
  expect_error(tv::write_tensor(path, channels), tv::Code::kInvalidArgument,
               "axis is no dimension");
  expect_error(tv::write_state_dict(path, {{"\xff", floats({2}, {1})}}), tv::Code::kInvalidArgument,
               "not UTF-8");
  expect_error(tv::write_state_dict(path, {{"a", floats({2}, {1})}}, {{"\xff", 2}}),
               tv::Code::kInvalidArgument, "module \"\\xff\", version 2, is not UTF-8");
  ck_assert_uint_eq(folder.count(), 0);
}
END_TEST

}  // namespace

Suite* write_suite() {
  return tv::test::make_suite("write", 60, state_dict_reads_back, tensor_reads_back,
                              records_are_named_after_the_file, takes_the_longest_names,
                              replaces_a_file_and_keeps_it_on_failure, full_disk_leaves_nothing,
                              refuses_bad_targets, refuses_bad_tensors);
}
