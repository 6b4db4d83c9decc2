// One model on the CPU, timed on demand.
//   model-benchmark BUILDER reference|fused
// Loads the builder with random numbers, runs it twice at the size of its first weights entry, and
// prints "ready SIDE". Then it runs once for each line that it reads and prints the milliseconds.
// At the end of its input it prints the resident memory in MiB, now and at most.
// models.py drives it; OMP_NUM_THREADS says how many threads.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "elements/inference/engine.hpp"
#include "model_registry/registry/registry.hpp"

namespace {

using tv::Result;
using tv::Status;

struct Subject {
  tv::inference::ReadyModel ready;
  std::int64_t side = 0;
  std::vector<float> input;

  Status run() {
    TV_ASSIGN_OR_RETURN(const auto logits, ready.model->run(input, {1, 3, side, side}));
    return logits.empty() ? Status(tv::Error{tv::Code::kInternal, "no logits", ""}) : Status();
  }
  Status warm_up(std::int64_t new_side) {
    side = new_side;
    input.assign(static_cast<std::size_t>(3 * side * side), 0.5F);
    TV_RETURN_IF_ERROR(run());
    return run();
  }
};

Result<Subject> load(const std::string& builder, const std::string& executor) {
  tv::inference::ModelSpec spec;
  spec.builder = builder;
  spec.quantize = builder.starts_with("quantized_");  // int8
  spec.executor =
      executor == "fused" ? tv::inference::Executor::kFused : tv::inference::Executor::kReference;
  TV_ASSIGN_OR_RETURN(const auto entries, tv::get_model_weights(builder));
  Subject subject;
  TV_ASSIGN_OR_RETURN(subject.ready, tv::inference::load_model(spec));
  // A Vision Transformer's first entry may be for larger pictures than the builder's own default.
  if (const Status good = subject.warm_up(entries.front()->preset.crop_size); !good)
    TV_RETURN_IF_ERROR(subject.warm_up(subject.ready.network->min_size()));
  return subject;
}

Status measure(Subject& subject) {
  for (std::string line; std::getline(std::cin, line);) {
    const auto begin = std::chrono::steady_clock::now();
    TV_RETURN_IF_ERROR(subject.run());
    const std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - begin;
    std::cout << spent.count() << std::endl;
  }
  return {};
}

// Of /proc/self/status, in MiB.
long memory(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field + ":")) return std::stol(line.substr(field.size() + 1)) / 1024;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: model-benchmark BUILDER EXECUTOR\n"), 2;
  auto subject = load(argv[1], argv[2]);
  if (!subject) return std::fprintf(stderr, "%s\n", subject.error().text().c_str()), 1;
  std::cout << "ready " << subject->side << std::endl;
  if (const Status done = measure(*subject); !done)
    return std::fprintf(stderr, "%s\n", done.error().text().c_str()), 1;
  std::cout << memory("VmRSS") << " " << memory("VmHWM") << std::endl;
  return 0;
}
