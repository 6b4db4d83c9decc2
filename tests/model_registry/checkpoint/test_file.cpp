#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>

#include "tests/countdown.hpp"
#include "tests/model_registry/checkpoint/support.hpp"

namespace {

namespace fs = std::filesystem;
using tv::test::TempFolder;

void expect_error(const std::string& path, tv::Code code, const char* text,
                  std::uint64_t max = 1000) {
  const auto file = tv::read_file(path, max);
  ck_assert_msg(!file, "%s was read", path.c_str());
  ck_assert_msg(file.error().code == code, "%s", file.error().what.c_str());
  ck_assert_msg(file.error().what.find(text) != std::string::npos, "%s", file.error().what.c_str());
}

START_TEST(reads_and_hashes) {
  const TempFolder folder;
  const auto file = tv::read_file(folder.write("abc", "abc"));
  ck_assert_msg(static_cast<bool>(file), "not read");
  ck_assert_uint_eq(file->size, 3);
  ck_assert_int_eq(std::memcmp(file->data.get(), "abc", 3), 0);
  ck_assert_uint_eq(reinterpret_cast<std::uintptr_t>(file->data.get()) % 64, 0);
  // FIPS 180-2, appendix B.1
  tv::test::expect_equal(file->sha256,
                         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  tv::test::expect_equal(file->path, folder.path("abc"));
}
END_TEST

START_TEST(hashes_more_than_one_block) {
  const TempFolder folder;
  const auto file = tv::read_file(folder.write("a", std::string(1000000, 'a')));
  ck_assert_msg(static_cast<bool>(file), "not read");
  // FIPS 180-2, appendix B.3
  tv::test::expect_equal(file->sha256,
                         "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

// Hashing gigabytes takes seconds: it asks before each piece of them.
START_TEST(reading_asks_whether_to_go_on) {
  constexpr int kPieces = 4;  // MiB
  const TempFolder folder;
  const std::string path = folder.write("a", std::string(std::size_t{kPieces} << 20, 'a'));
  tv::test::Countdown never;
  ck_assert(static_cast<bool>(tv::read_file(path, tv::kLargestFile, never.check())));
  ck_assert_int_gt(never.asked(), kPieces);
  for (int after = 0; after < never.asked(); ++after) {
    tv::test::Countdown countdown(after);
    const auto file = tv::read_file(path, tv::kLargestFile, countdown.check());
    ck_assert_msg(!file, "a yes after %d questions was not heard", after);
    ck_assert(file.error().code == tv::Code::kCancelled);
    tv::test::expect_equal(file.error().what, "reading " + path + " was cancelled");
    ck_assert_int_eq(countdown.asked(), after + 1);  // and it is not asked again
  }
}
END_TEST

START_TEST(parsing_asks_whether_to_go_on) {
  const TempFolder folder;
  const auto file = tv::read_file(folder.write("zip.pth", tv::test::load_data("zip.pth")));
  ck_assert(static_cast<bool>(file));
  tv::test::Countdown never;
  const auto whole = tv::read_checkpoint(*file, never.check());
  ck_assert(static_cast<bool>(whole));
  ck_assert_int_gt(never.asked(), 1);
  for (int after = 0; after < never.asked(); ++after) {
    tv::test::Countdown countdown(after);
    const auto checkpoint = tv::read_checkpoint(*file, countdown.check());
    ck_assert_msg(!checkpoint, "a yes after %d questions was not heard", after);
    ck_assert(checkpoint.error().code == tv::Code::kCancelled);
  }
}
END_TEST

START_TEST(follows_symbolic_links) {
  const TempFolder folder;
  folder.write("abc", "abc");
  fs::create_symlink("abc", folder.path("link"));
  ck_assert(static_cast<bool>(tv::read_file(folder.path("link"))));
}
END_TEST

START_TEST(size_limit_is_inclusive) {
  const TempFolder folder;
  const std::string path = folder.write("abc", "abc");
  ck_assert(static_cast<bool>(tv::read_file(path, 3)));
  expect_error(path, tv::Code::kUnreadable, "has 3 bytes, at most 2 are read", 2);
}
END_TEST

START_TEST(refuses_what_is_no_readable_file) {
  const TempFolder folder;
  expect_error(folder.path("absent"), tv::Code::kNotFound, "absent: No such file");
  expect_error(folder.write("file", "x") + "/below", tv::Code::kNotFound, "Not a directory");
  expect_error("", tv::Code::kNotFound, "empty path");
  expect_error(std::string("a\0b", 3), tv::Code::kNotFound, "NUL");
  expect_error(folder.path("."), tv::Code::kUnreadable, "a directory");
  expect_error("/dev/null", tv::Code::kUnreadable, "a device");
  expect_error(folder.write("empty", ""), tv::Code::kUnreadable, "is empty");
  // Opened for reading as files are, a FIFO without a writer would block for ever.
  ck_assert_int_eq(mkfifo(folder.path("fifo").c_str(), 0600), 0);
  expect_error(folder.path("fifo"), tv::Code::kUnreadable, "a FIFO");
  fs::create_symlink("loop", folder.path("loop"));
  expect_error(folder.path("loop"), tv::Code::kUnreadable, "cannot be opened");
}
END_TEST

START_TEST(paths_in_errors_are_printable) {
  const TempFolder folder;
  const std::string path = folder.path("a\nb\xff\xc3\xa9");
  expect_error(path, tv::Code::kNotFound, "/a\\x0ab\\xff\xc3\xa9: No such file");
}
END_TEST

START_TEST(bytes_outlive_the_file) {
  const TempFolder folder;
  const std::string path = folder.write("zip.pth", tv::test::load_data("zip.pth"));
  tv::CheckpointValue value;
  {
    const auto file = tv::read_file(path);
    ck_assert(static_cast<bool>(file));
    auto checkpoint = tv::read_checkpoint(*file);
    ck_assert(static_cast<bool>(checkpoint));
    value = *checkpoint->find("parameter");
  }
  fs::remove(path);
  const float expected[] = {1.5F, -2.5F};
  ck_assert_int_eq(
      std::memcmp(tv::contiguous_bytes(*value.tensor()).data(), expected, sizeof expected), 0);
}
END_TEST

}  // namespace

Suite* file_suite() {
  return tv::test::make_suite(
      "file", 60, reads_and_hashes, hashes_more_than_one_block, reading_asks_whether_to_go_on,
      parsing_asks_whether_to_go_on, follows_symbolic_links, size_limit_is_inclusive,
      refuses_what_is_no_readable_file, paths_in_errors_are_printable, bytes_outlive_the_file);
}
