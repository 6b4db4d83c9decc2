// What one element keeps, for the files that are its GObject: element, events, queries.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "elements/tvclassify/cuda_context.hpp"
#include "elements/tvclassify/properties.hpp"
#include "elements/tvclassify/run.hpp"

namespace tv {

/// What an element has beside its GObject. Shared between threads by copies alone.
class Impl {
  template <typename F>
  auto locked(F&& read) const {
    const std::lock_guard lock(mutex_);
    return read();
  }

 public:
  Settings settings() const {
    return locked([&] { return settings_; });
  }
  /// With a number that grows with every change.
  std::pair<Settings, std::uint64_t> numbered_settings() const {
    return locked([&] { return std::pair(settings_, changes_); });
  }
  LiveSettings live() const {
    return locked([&] { return settings_.live; });
  }
  Snapshot snapshot() const {
    const std::shared_ptr<Run> now = run();
    return {settings(), counters_->stats(),
            now ? std::optional<Choice>(now->choice()) : std::nullopt};
  }
  /// From start() to stop(); nullptr otherwise. Who has it may find it closed.
  std::shared_ptr<Run> run() const {
    return locked([&] { return run_; });
  }
  const std::shared_ptr<Counters>& counters() const { return counters_; }
  CudaContext& cuda() { return cuda_; }
  /// The GPU that a model is or will be for, as far as is known; nullopt: none.
  std::optional<int> gpu() const {
    if (const std::shared_ptr<Run> now = run()) return now->choice().gpu;
    const auto asked = inference::parse_device(settings().device);
    if (!asked) return std::nullopt;
    const inference::Device device =
        asked->value_or(inference::Device{inference::DeviceKind::kCuda});
    return device.kind == inference::DeviceKind::kCuda ? std::optional(device.index) : std::nullopt;
  }
  /// Nobody but a user who names a GPU makes one necessary before it is known where the model runs.
  bool names_gpu() const {
    const auto asked = inference::parse_device(settings().device);
    return asked && *asked && (*asked)->kind == inference::DeviceKind::kCuda;
  }

  template <typename F>
  void change_settings(F&& change) {
    const std::lock_guard lock(mutex_);
    change(settings_);
    ++changes_;
  }
  void begin(std::shared_ptr<Run> run) {
    const std::lock_guard lock(mutex_);
    run_ = std::move(run);
  }
  /// False when it has been told before in this element's life.
  bool is_news(const std::string& text) {
    const std::lock_guard lock(mutex_);
    return told_.insert(text).second;
  }
  /// The run is given to the caller, who ends it with no lock held.
  std::shared_ptr<Run> end() {
    const std::lock_guard lock(mutex_);
    return std::exchange(run_, nullptr);
  }

 private:
  const std::shared_ptr<Counters> counters_ = std::make_shared<Counters>();
  CudaContext cuda_;
  mutable std::mutex mutex_;
  Settings settings_;
  std::uint64_t changes_ = 0;
  std::shared_ptr<Run> run_;  // from start() to stop()
  std::set<std::string> told_;
};

}  // namespace tv

struct GstTvClassify {
  GstElement parent;
  GstPad* sink;    // owned by the element
  GstPad* source;  // owned by the element
  tv::Impl* impl;  // owned
};

namespace tv {

/// The element of a GObject, GstObject or GstElement that is one.
template <typename T>
GstTvClassify* self_of(T* object) {
  return reinterpret_cast<GstTvClassify*>(object);
}
template <typename T>
Impl& impl_of(T* object) {
  return *self_of(object)->impl;
}

}  // namespace tv
