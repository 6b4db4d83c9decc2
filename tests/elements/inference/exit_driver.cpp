// Leaves by exit() from main() while two other threads are inside the backend; the argument says
// after how many inferences. The status is 0 unless the process crashes.
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "elements/inference/engine.hpp"

namespace {

constexpr int kSide = 64;  // pixels
std::atomic<int> g_inferences = 0;

void infer_for_ever(tv::inference::LoadedModel* model) {
  const std::vector<float> grey(3 * kSide * kSide, 0.5f);
  while (model->run(grey, {1, 3, kSide, kSide})) {
    ++g_inferences;
    g_inferences.notify_all();
  }
}

}  // namespace

int main(int, char** argv) {
  const int wanted = std::atoi(argv[1]);
  for (const std::uint64_t seed : {1, 2}) {
    auto ready = tv::inference::load_model({.builder = "resnet18", .seed = seed});
    if (!ready) {
      std::cerr << ready.error().text() << "\n";
      return 1;
    }
    std::thread(infer_for_ever, ready->model.release()).detach();
  }
  for (int seen = 0; seen < wanted; seen = g_inferences) g_inferences.wait(seen);
  std::exit(0);
}
