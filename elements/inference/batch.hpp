// A batch of pictures through a loaded model.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "elements/inference/batcher.hpp"
#include "elements/inference/engine.hpp"

namespace tv::inference {

/// Runs a model for a Batcher. When the device has no memory for a batch, each half is tried by
/// itself; any other failure of a batch is tried picture by picture, so that an error is the
/// picture's own.
class ModelRunner final : public BatchRunner {
 public:
  /// `side`: of the square pictures, pixels.
  ModelRunner(std::unique_ptr<LoadedModel> model, int side)
      : model_(std::move(model)), shape_{1, 3, side, side} {}

  void run(std::span<Job* const> jobs) override;
  LoadedModel& model() { return *model_; }

 private:
  Status run_together(std::span<Job* const> jobs);

  const std::unique_ptr<LoadedModel> model_;
  Shape shape_;                // of the batch
  std::vector<float> inputs_;  // [n, 3, side, side]
};

/// Runs a model that takes frames, two batches or more beside each other. Failures are dealt with
/// as above.
class FrameRunner final : public BatchRunner {
 public:
  /// The model has frames().
  explicit FrameRunner(std::unique_ptr<LoadedModel> model);

  void run(std::span<Job* const> jobs) override;
  unsigned slots() const override { return static_cast<unsigned>(slots_.size()); }
  bool begin(unsigned slot, std::span<Job* const> jobs) override;
  void end(unsigned slot) override;

 private:
  Status start(unsigned slot, std::span<Job* const> jobs);
  /// `give_back`: the frames go to who made them as soon as they are read, before the network has
  /// run; else they stay, for another attempt.
  Status finish(unsigned slot, bool give_back);

  const std::unique_ptr<LoadedModel> model_;
  FrameModel& frames_;
  struct Slot {
    std::vector<Job*> jobs;
    std::vector<const Picture*> pictures;  // of the jobs
  };
  std::vector<Slot> slots_;
};

}  // namespace tv::inference
