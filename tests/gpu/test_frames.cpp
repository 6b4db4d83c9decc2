// A model that takes frames, through its door: batches of 1 to 33 frames of two sizes, in the
// memory of the computer and of the GPU, two slots beside each other. What the CPU's preprocessing
// and run() say of the same frames is what it has to say.
//   test_gpu_frames [BUILDER]      resnet18 by default, in float32
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "elements/inference/engine.hpp"
#include "elements/preprocess/preprocess.hpp"
#include "model_registry/registry/registry.hpp"
#include "tests/elements/preprocess/frames.hpp"
#include "tests/gpu/gpu.hpp"

using namespace tv;
using namespace tv::gpu;
using namespace tv::inference;
using namespace tv::test;

namespace {

constexpr std::size_t kMost = 33;
/// Of the largest logit: run() sees the same pixels, but other batch sizes choose other kernels.
constexpr double kTolerance = 2e-4;

struct Subject {
  OwnedFrame frame;
  std::unique_ptr<DeviceCopy> copy;  // of every other frame
  Picture picture;
  std::vector<float> expected;  // logits
};

void compare(const Subject& subject, const FrameModel::Answer& answer, unsigned top_k,
             const std::string& what) {
  if (top_k == 0) {
    require(answer.logits.size() == subject.expected.size(), what + ": no logits");
    double largest = 0, off = 0;
    for (std::size_t i = 0; i < answer.logits.size(); ++i) {
      largest = std::max(largest, std::fabs(double{subject.expected[i]}));
      off = std::max(off, std::fabs(double{subject.expected[i]} - double{answer.logits[i]}));
    }
    require(off <= kTolerance * largest, what + ": off by " + std::to_string(off / largest));
    return;
  }
  const auto best = inference::top_k(subject.expected, static_cast<int>(top_k));
  require(answer.top.size() == best.size(), what + ": another number of classes");
  for (std::size_t i = 0; i < best.size(); ++i) {
    // Near ties may change places; the probability of a place may not.
    require(std::fabs(answer.top[i].probability - best[i].probability) <= 1e-3F,
            what + ": place " + std::to_string(i) + " is another");
  }
  require(answer.top[0].index == best[0].index, what + ": another class");
}

}  // namespace

int main(int argc, char** argv) {
  need_gpu();
  const std::string builder = argc > 1 ? argv[1] : "resnet18";
  ModelSpec spec;
  spec.builder = builder;
  spec.seed = 3;
  spec.device = Device{DeviceKind::kCuda, 0};
  spec.precision = Precision::kFloat32;
  const ReadyModel ready = value_of(load_model(spec), builder);
  FrameModel* const frames = ready.model->frames();
  require(frames != nullptr, "the model takes no frames");
  require(frames->slots() >= 2, "fewer than two slots");

  const Transforms recipe = value_of(get_model_weights(builder), builder).front()->preset;
  const auto side = static_cast<std::int64_t>(recipe.crop_size);
  Bytes random(7);
  std::vector<std::shared_ptr<const Plan>> plans;
  const std::pair<int, int> sizes[] = {{640, 360}, {301, 499}};
  for (const auto& [width, height] : sizes)
    plans.push_back(
        std::make_shared<const Plan>(value_of(make_plan(recipe, width, height), "plan")));
  std::vector<Subject> subjects(kMost);
  for (std::size_t i = 0; i < kMost; ++i) {
    Subject& mine = subjects[i];
    const auto& plan = plans[i % 3 == 0 ? 1 : 0];
    FrameShape shape;
    shape.width = plan->width;
    shape.height = plan->height;
    shape.stride_padding = static_cast<std::ptrdiff_t>(i % 5 * 16);
    // A ground of its own for each frame: noise alone looks alike to a network.
    const auto ground = static_cast<std::uint8_t>(random());
    const auto& info = pixel_formats()[i % pixel_formats().size()];
    mine.frame = make_frame(info.format, shape,
                            [&] { return static_cast<std::uint8_t>(ground / 2 + random() / 2); });
    std::vector<float> input(static_cast<std::size_t>(3 * side * side));
    require_ok(value_of(make_preprocessor(*plan), "cpu")->run(mine.frame.view, input), "cpu");
    mine.expected = value_of(ready.model->run(input, {1, 3, side, side}), "run");
    mine.picture.view = mine.frame.view;
    mine.picture.plan = plan;
    if (i % 2 == 1) {
      mine.copy = std::make_unique<DeviceCopy>(mine.frame.memory);
      mine.picture.view = moved(mine.frame.view, mine.frame.memory, mine.copy->data());
      mine.picture.on_device = true;
    }
  }

  struct UnderWay {
    std::size_t first = 0, count = 0;
    unsigned top_k = 0;
    std::vector<const Picture*> pictures = {};  // stay until they have been read
  };
  std::optional<UnderWay> slots[2];
  std::size_t compared = 0;
  const auto end = [&](unsigned slot) {
    if (!slots[slot]) return;
    require_ok(frames->wait_read(slot), "wait_read");
    const auto answers = value_of(frames->end(slot), "end");
    require(answers.size() == slots[slot]->count, "another number of answers");
    for (std::size_t i = 0; i < answers.size(); ++i)
      compare(subjects[(slots[slot]->first + i) % kMost], answers[i], slots[slot]->top_k,
              "batch of " + std::to_string(answers.size()) + ", frame " + std::to_string(i));
    compared += answers.size();
    slots[slot].reset();
  };
  // Slots in turn: each batch begins while the one before is under way.
  unsigned turn = 0;
  for (std::size_t count = 1; count <= kMost; ++count, ++turn) {
    const unsigned slot = turn % 2;
    end(slot);
    UnderWay& batch =
        slots[slot].emplace(UnderWay{count * 5 % kMost, count, count % 3 == 0 ? 5U : 0U});
    for (std::size_t i = 0; i < count; ++i)
      batch.pictures.push_back(&subjects[(batch.first + i) % kMost].picture);
    require_ok(frames->begin(slot, batch.pictures, batch.top_k), "begin " + std::to_string(count));
  }
  end(0);
  end(1);

  // A frame that is not its plan's is refused, and the slot is idle afterwards.
  Picture wrong = subjects[0].picture;
  wrong.plan = plans[0];
  const Picture* one = &wrong;
  const Status refused = frames->begin(0, {&one, 1}, 0);
  require(!refused && refused.error().code == Code::kInvalidArgument, "a wrong plan was taken");
  one = &subjects[0].picture;
  require_ok(frames->begin(0, {&one, 1}, 0), "begin after a refusal");
  require_ok(frames->wait_read(0), "wait_read after a refusal");
  compare(subjects[0], value_of(frames->end(0), "end after a refusal").at(0), 0, "after a refusal");
  std::printf("%s on %s: %zu frames, all as the CPU prepares them\n", builder.c_str(),
              ready.device.c_str(), compared);
  return 0;
}
