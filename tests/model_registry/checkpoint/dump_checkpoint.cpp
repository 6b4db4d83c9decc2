// Prints what the reader makes of a weight file as JSON, for the tests against Python:
//
//   dump_checkpoint FILE
//
// {"ok": true, "format", "entries": [[name, value], ...], "versions"} or {"ok": false, "code",
// "what", "hint"}.
//
//   dump_checkpoint --copy FILE OUT
//   dump_checkpoint --copy-without-versions FILE OUT
//
// Writes the tensors that were read with write_state_dict, or a bare one with write_tensor.
// Exit status: 0 read, 1 refused, 2 wrong use.
#include <sys/resource.h>

#include <cmath>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "model_registry/checkpoint/checkpoint.hpp"
#include "model_registry/io/sha256.hpp"

namespace {

using nlohmann::json;

std::string sha256(const std::vector<std::byte>& bytes) {
  tv::io::Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

json to_json(const tv::TensorView& view) {
  json out = {{"dtype", tv::dtype_name(view.dtype)},
              {"sizes", view.sizes},
              {"strides", view.strides},
              {"contiguous", view.is_contiguous()},
              {"nonfinite", tv::has_nonfinite(view)},
              {"sha256", sha256(tv::contiguous_bytes(view))}};
  if (view.quantization)
    out["quantization"] = {{"scales", view.quantization->scales},
                           {"zero_points", view.quantization->zero_points},
                           {"axis", view.quantization->axis}};
  return out;
}

json to_json(const tv::CheckpointValue& value);

struct Visitor {
  json operator()(std::monostate) const { return nullptr; }
  json operator()(const tv::TensorView& view) const { return to_json(view); }
  json operator()(const tv::CheckpointList& list) const {
    json out = json::array();
    for (const tv::CheckpointValue& value : list) out.push_back(to_json(value));
    return out;
  }
  // JSON has no infinities.
  json operator()(double real) const {
    return std::isfinite(real) ? json(real) : json(std::to_string(real));
  }
  template <typename T>
  json operator()(const T& plain) const {
    return plain;
  }
};

json to_json(const tv::CheckpointValue& value) {
  return std::visit(Visitor{}, value.value);
}

json failure(const tv::Error& error) {
  return {{"ok", false},
          {"code", tv::code_name(error.code)},
          {"what", error.what},
          {"hint", error.hint}};
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

json dump(const std::string& path) {
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  const double start = cpu_seconds();
  const auto file = tv::read_file(path);
  if (!file) return failure(file.error());
  const auto checkpoint = tv::read_checkpoint(*file);
  const double seconds = cpu_seconds() - start;
  getrusage(RUSAGE_SELF, &after);
  json out;
  if (checkpoint) {
    out = {{"ok", true},
           {"format", checkpoint->format == tv::CheckpointFormat::kZip ? "zip" : "legacy"},
           {"sha256", file->sha256},
           {"versions", checkpoint->versions},
           {"entries", json::array()}};
    for (const auto& [name, value] : checkpoint->entries)
      out["entries"].push_back({name, to_json(value)});
  } else {
    out = failure(checkpoint.error());
  }
  out["cpu_seconds"] = seconds;
  out["rss_growth_kib"] = after.ru_maxrss - before.ru_maxrss;
  return out;
}

int copy(const std::string& from, const std::string& to, bool with_versions) {
  const auto file = tv::read_file(from);
  if (!file) return std::puts(file.error().text().c_str()), 1;
  const auto checkpoint = tv::read_checkpoint(*file);
  if (!checkpoint) return std::puts(checkpoint.error().text().c_str()), 1;
  std::vector<std::pair<std::string, tv::TensorView>> tensors;
  for (const auto& [name, value] : checkpoint->entries)
    if (value.tensor() != nullptr) tensors.emplace_back(name, *value.tensor());
  std::map<std::string, std::int64_t> versions;
  if (with_versions) versions = checkpoint->versions;
  const bool bare = tensors.size() == 1 && tensors[0].first.empty();
  const tv::Status written =
      bare ? tv::write_tensor(to, tensors[0].second) : tv::write_state_dict(to, tensors, versions);
  if (!written) return std::puts(written.error().text().c_str()), 1;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode.starts_with("--copy") && argc == 4) return copy(argv[2], argv[3], mode == "--copy");
  if (argc != 2)
    return std::fputs("usage: dump_checkpoint FILE | --copy[-without-versions] FILE OUT\n", stderr),
           2;
  const json out = dump(mode);
  std::cout << out.dump() << std::endl;
  return out["ok"] ? 0 : 1;
}
