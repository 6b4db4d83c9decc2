#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>

#include "tests/model_registry/checkpoint/support.hpp"

namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "tv-checkpoint-XXXXXX").string();
    ck_assert_ptr_nonnull(mkdtemp(name.data()));
    path_ = name;
  }
  ~Folder() { fs::remove_all(path_); }
  std::string file(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return (path_ / name).string();
  }
  std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

void expect_error(const std::string& path, tv::Code code, const char* text,
                  std::uint64_t max = 1000) {
  const auto file = tv::read_file(path, max);
  ck_assert_msg(!file, "%s was read", path.c_str());
  ck_assert_msg(file.error().code == code, "%s", file.error().what.c_str());
  ck_assert_msg(file.error().what.find(text) != std::string::npos, "%s", file.error().what.c_str());
}

START_TEST(reads_and_hashes) {
  const Folder folder;
  const auto file = tv::read_file(folder.file("abc", "abc"));
  ck_assert_msg(static_cast<bool>(file), "not read");
  ck_assert_uint_eq(file->size, 3);
  ck_assert_int_eq(std::memcmp(file->data.get(), "abc", 3), 0);
  ck_assert_uint_eq(reinterpret_cast<std::uintptr_t>(file->data.get()) % 64, 0);
  // FIPS 180-2, appendix B.1
  tv::test::check_text(file->sha256,
                       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  tv::test::check_text(file->path, folder.path("abc"));
}
END_TEST

START_TEST(hashes_more_than_one_block) {
  const Folder folder;
  const auto file = tv::read_file(folder.file("a", std::string(1000000, 'a')));
  ck_assert_msg(static_cast<bool>(file), "not read");
  // FIPS 180-2, appendix B.3
  tv::test::check_text(file->sha256,
                       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

START_TEST(follows_symbolic_links) {
  const Folder folder;
  folder.file("abc", "abc");
  fs::create_symlink("abc", folder.path("link"));
  ck_assert(static_cast<bool>(tv::read_file(folder.path("link"))));
}
END_TEST

START_TEST(size_limit_is_inclusive) {
  const Folder folder;
  const std::string path = folder.file("abc", "abc");
  ck_assert(static_cast<bool>(tv::read_file(path, 3)));
  expect_error(path, tv::Code::kUnreadable, "has 3 bytes, at most 2 are read", 2);
}
END_TEST

START_TEST(refuses_what_is_no_readable_file) {
  const Folder folder;
  expect_error(folder.path("absent"), tv::Code::kNotFound, "absent: No such file");
  expect_error(folder.file("file", "x") + "/below", tv::Code::kNotFound, "Not a directory");
  expect_error("", tv::Code::kNotFound, "empty path");
  expect_error(std::string("a\0b", 3), tv::Code::kNotFound, "NUL");
  expect_error(folder.path("."), tv::Code::kUnreadable, "a directory");
  expect_error("/dev/null", tv::Code::kUnreadable, "a device");
  expect_error(folder.file("empty", ""), tv::Code::kUnreadable, "is empty");
  // Opened for reading as files are, a FIFO without a writer would block for ever.
  ck_assert_int_eq(mkfifo(folder.path("fifo").c_str(), 0600), 0);
  expect_error(folder.path("fifo"), tv::Code::kUnreadable, "a FIFO");
  fs::create_symlink("loop", folder.path("loop"));
  expect_error(folder.path("loop"), tv::Code::kUnreadable, "cannot be opened");
}
END_TEST

START_TEST(paths_in_errors_are_printable) {
  const Folder folder;
  const std::string path = folder.path("a\nb\xff\xc3\xa9");
  expect_error(path, tv::Code::kNotFound, "/a\\x0ab\\xff\xc3\xa9: No such file");
}
END_TEST

START_TEST(bytes_outlive_the_file) {
  const Folder folder;
  const std::string path = folder.file("zip.pth", tv::test::load_data("zip.pth"));
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
  Suite* suite = suite_create("file");
  TCase* tests = tcase_create("file");
  tcase_add_test(tests, reads_and_hashes);
  tcase_add_test(tests, hashes_more_than_one_block);
  tcase_add_test(tests, follows_symbolic_links);
  tcase_add_test(tests, size_limit_is_inclusive);
  tcase_add_test(tests, refuses_what_is_no_readable_file);
  tcase_add_test(tests, paths_in_errors_are_printable);
  tcase_add_test(tests, bytes_outlive_the_file);
  suite_add_tcase(suite, tests);
  return suite;
}
