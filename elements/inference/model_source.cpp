#include "elements/inference/model_source.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <utility>

#include "elements/inference/batch.hpp"
#include "elements/inference/lost_devices.hpp"

namespace tv::inference {
namespace {

/// Changes whenever a file's content does, unless somebody sets clocks back. ctime: nobody can set
/// it.
using FileIdentity = std::array<std::int64_t, 7>;

std::optional<FileIdentity> identity_of(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  return FileIdentity{static_cast<std::int64_t>(status.st_dev),
                      static_cast<std::int64_t>(status.st_ino),
                      status.st_size,
                      status.st_mtim.tv_sec,
                      status.st_mtim.tv_nsec,
                      status.st_ctim.tv_sec,
                      status.st_ctim.tv_nsec};
}

/// Digests of the local files that this process has read. A digest from here is what is expected
/// when the file is read again; the bytes are hashed then, too.
class KnownDigests {
 public:
  /// Reads the file into `spec` unless its digest is known.
  Status find(ModelSpec& spec, const CancelCheck& cancelled) {
    // Sixteen elements that start at once read it once: the others wait, but not against their
    // will.
    std::unique_lock lock(mutex_, std::defer_lock);
    while (!lock.try_lock_for(kPatience))
      TV_RETURN_IF_ERROR(check_cancelled(cancelled, "waiting for " + spec.weights_file));
    const std::optional<FileIdentity> before = identity_of(spec.weights_file);
    if (const auto known = before ? digests_.find(*before) : digests_.end();
        known != digests_.end()) {
      spec.weights_digest = known->second;
      return {};
    }
    TV_ASSIGN_OR_RETURN(FileBytes file, read_file(spec.weights_file, kLargestFile, cancelled));
    spec.weights_digest = file.sha256;
    if (before && before == identity_of(spec.weights_file)) {
      if (digests_.size() >= kMost) digests_.clear();
      digests_[*before] = file.sha256;
    }
    spec.file = std::make_shared<const FileBytes>(std::move(file));
    return {};
  }

 private:
  static constexpr std::size_t kMost = 256;
  static constexpr std::chrono::milliseconds kPatience{50};
  std::timed_mutex mutex_;
  std::map<FileIdentity, std::string> digests_;
};

KnownDigests& known_digests() {
  static KnownDigests* const instance = new KnownDigests;
  return *instance;
}

/// A GPU's model prepares a few sizes for all batches; the CPU's each one by itself, of which the
/// full one comes most.
Status prepare_batches(LoadedModel& model, int side, unsigned batch,
                       const std::atomic<bool>& cancelled) {
  for (unsigned n = model.frames() ? 2 : std::max(2U, batch); n <= batch; ++n)
    TV_RETURN_IF_ERROR(model.prepare({n, 3, side, side}, [&] { return cancelled.load(); }));
  return {};
}

/// Parts are told apart by a character that no name has.
void add(std::string& key, std::string_view part) {
  key += part;
  key += '\n';
}

}  // namespace

Result<std::string> model_key(ModelSpec& spec, int side, const std::string& group,
                              const CancelCheck& cancelled) {
  std::string key;
  add(key, group);
  if (spec.weights) {
    add(key, spec.weights->name());
    add(key, spec.builder.empty() ? spec.weights->builder : spec.builder);
    add(key, spec.weights->sha256);
    add(key, spec.weights->url);
    add(key, spec.weights->file);
    add(key, std::to_string(spec.weights->categories.size()));
  } else {
    add(key, spec.builder);
    add(key, std::to_string(spec.seed));
  }
  if (!spec.weights_file.empty()) {
    TV_RETURN_IF_ERROR(check_input_size(spec, side));
    TV_RETURN_IF_ERROR(known_digests().find(spec, cancelled));
  }
  add(key, spec.weights_digest);
  add(key, spec.num_classes ? std::to_string(*spec.num_classes) : "");
  add(key, spec.image_size ? std::to_string(*spec.image_size) : "");
  add(key, spec.quantize ? "int8" : "");
  add(key, spec.device ? std::to_string(static_cast<int>(spec.device->kind)) + ":" +
                             std::to_string(spec.device->index)
                       : "auto without " + lost_devices());
  add(key, precision_name(spec.precision));
  add(key, std::to_string(static_cast<int>(spec.executor)));
  add(key, std::to_string(side));
  return key;
}

SharedModel::Load model_loader(ModelSpec spec, int side, bool offline, unsigned batch) {
  return [spec = std::move(spec), side, offline,
          batch](const SharedModel::Progress& progress) mutable -> Result<Runnable> {
    FetchOptions options;
    options.cancel = &progress.cancelled;
    options.progress = progress.report;
    options.offline = offline;
    TV_ASSIGN_OR_RETURN(ReadyModel ready, load_model(spec, options, side));
    spec = {};  // the file's bytes are not needed any longer
    TV_RETURN_IF_ERROR(prepare_batches(*ready.model, side, batch, progress.cancelled));
    Runnable runnable;
    runnable.takes_frames = ready.model->frames() != nullptr;
    if (runnable.takes_frames) {
      runnable.runner = std::make_unique<FrameRunner>(std::move(ready.model));
    } else {
      runnable.runner = std::make_unique<ModelRunner>(std::move(ready.model), side);
      runnable.input_size =
          std::size_t{3} * static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
    }
    runnable.sha256 = std::move(ready.sha256);
    runnable.device = std::move(ready.device);
    runnable.why_cpu = std::move(ready.why_cpu);
    runnable.first_inference = ready.inference;
    return runnable;
  };
}

}  // namespace tv::inference
