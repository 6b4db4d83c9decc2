#include "elements/inference/lost_devices.hpp"

#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace tv::inference {
namespace {

/// Never destroyed: models may outlive main().
struct Lost {
  std::mutex mutex;  // guards what follows
  std::map<std::string, Error> devices;
  std::vector<std::unique_ptr<LoadedModel>> models;  // that nobody may free
};
Lost& lost() {
  static Lost* const instance = new Lost;
  return *instance;
}

class WatchedModel final : public LoadedModel, public FrameModel {
 public:
  WatchedModel(std::unique_ptr<LoadedModel> model, std::string device)
      : model_(std::move(model)), frames_(model_->frames()), device_(std::move(device)) {}

  ~WatchedModel() override {
    const std::lock_guard lock(lost().mutex);
    if (lost().devices.contains(device_)) lost().models.push_back(std::move(model_));
  }

  Status prepare(const Shape& shape, const CancelCheck& cancelled) override {
    return watched([&] { return model_->prepare(shape, cancelled); });
  }
  Result<std::vector<float>> run(std::span<const float> input, const Shape& shape) override {
    return watched([&] { return model_->run(input, shape); });
  }
  Result<std::vector<std::pair<std::string, TensorView>>> state_dict() override {
    return watched([&] { return model_->state_dict(); });
  }
  FrameModel* frames() override { return frames_ ? this : nullptr; }
  unsigned slots() const override { return frames_->slots(); }
  Status begin(unsigned slot, std::span<const Picture* const> pictures, unsigned top_k) override {
    return watched([&] { return frames_->begin(slot, pictures, top_k); });
  }
  // What is under way on a lost device neither reads nor ends.
  Status wait_read(unsigned slot) override {
    return watched([&] { return frames_->wait_read(slot); });
  }
  Result<std::vector<Answer>> end(unsigned slot) override {
    return watched([&] { return frames_->end(slot); });
  }

 private:
  template <typename F>
  std::invoke_result_t<F> watched(F&& call) {
    if (std::optional<Error> error = lost_device(device_)) return std::move(*error);
    auto result = std::forward<F>(call)();
    if (!result && result.error().code == Code::kDeviceLost)
      return lose_device(device_, result.error());
    return result;
  }

  std::unique_ptr<LoadedModel> model_;
  FrameModel* const frames_;  // the model's; nullptr: it takes none
  const std::string device_;
};

}  // namespace

std::optional<Error> lost_device(const std::string& device) {
  const std::lock_guard lock(lost().mutex);
  const auto found = lost().devices.find(device);
  if (found == lost().devices.end()) return std::nullopt;
  return found->second;
}

Error lose_device(const std::string& device, const Error& why) {
  Error error{Code::kDeviceLost, "device " + device + " is lost to this process: " + why.what,
              "restart the process; until then use device=cpu"};
  const std::lock_guard lock(lost().mutex);
  return lost().devices.try_emplace(device, std::move(error)).first->second;
}

std::string lost_devices() {
  std::string names;
  const std::lock_guard lock(lost().mutex);
  for (const auto& [device, error] : lost().devices) names += (names.empty() ? "" : ",") + device;
  return names;
}

std::unique_ptr<LoadedModel> watch_device(std::unique_ptr<LoadedModel> model, std::string device) {
  return std::make_unique<WatchedModel>(std::move(model), std::move(device));
}

}  // namespace tv::inference
