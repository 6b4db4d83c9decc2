// What the checkpoint tests share: bytes as a FileBytes of exactly that many bytes, and pickles
// spelt in C++.
#pragma once

#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>

#include "model_registry/checkpoint/checkpoint.hpp"
#include "tests/suite.hpp"

namespace tv::test {

/// An allocation of exactly these bytes, so that a sanitizer sees every read beyond them.
inline FileBytes file_of(std::string_view bytes, std::string path = "x.pth") {
  FileBytes file;
  const std::shared_ptr<std::byte> copy(new std::byte[bytes.size()],
                                        std::default_delete<std::byte[]>());
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  file.data = copy;
  file.size = bytes.size();
  file.path = std::move(path);
  return file;
}

/// A file of tests/data/checkpoint.
inline std::string load_data(const std::string& name) {
  std::ifstream in(std::string(TV_TEST_DATA) + "/checkpoint/" + name, std::ios::binary);
  ck_assert_msg(in.good(), "no test data %s", name.c_str());
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::string as_string(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace tv::test

Suite* tensor_suite();
Suite* file_suite();
Suite* pickle_suite();
Suite* mutation_suite();
Suite* write_suite();
