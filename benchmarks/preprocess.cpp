// Time of one frame through the preprocessor: medians of interleaved rounds, one thread.
//   preprocess [ROUNDS]
// Prints a row for each format, path and backend. Meaningful on a quiet machine only.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "elements/preprocess/preprocess.hpp"

namespace {

constexpr int kWidth = 1920, kHeight = 1080;

struct Case {
  tv::PixelFormat format;
  tv::TransformsBackend backend;
  tv::PreprocessPath path;
  std::unique_ptr<tv::Preprocessor> preprocessor;
  std::vector<double> milliseconds;
};

// One buffer serves all formats: each plane lies in it somewhere.
tv::FrameView make_view(tv::PixelFormat format, const std::vector<std::uint8_t>& bytes) {
  tv::FrameView view;
  view.format = format;
  view.width = view.full_width = kWidth;
  view.height = view.full_height = kHeight;
  view.chroma.horizontal_cosited = true;
  const auto& info = tv::pixel_format_info(format);
  std::size_t at = 0;
  for (int p = 0; p < info.planes; ++p) {
    int step = 0, shift_x = 0, shift_y = 0;
    for (const auto& c : info.components)
      if (c.plane == p) step = c.step, shift_x = c.shift_x, shift_y = c.shift_y;
    auto& plane = view.planes[static_cast<std::size_t>(p)];
    plane.data = bytes.data() + at;
    plane.stride = (kWidth >> shift_x) * step;
    at += static_cast<std::size_t>(plane.stride) * static_cast<std::size_t>(kHeight >> shift_y);
  }
  return view;
}

double run_once(Case& c, const tv::FrameView& view, std::vector<float>& out) {
  const auto begin = std::chrono::steady_clock::now();
  if (auto done = c.preprocessor->run(view, out); !done) {
    std::fprintf(stderr, "%s\n", done.error().text().c_str());
    std::exit(1);
  }
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - begin;
  return spent.count();
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 21;
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(kWidth) * kHeight * 4);
  std::mt19937 random(1);
  for (auto& b : bytes) b = static_cast<std::uint8_t>(random());

  std::vector<Case> cases;
  for (const auto format : {tv::PixelFormat::kI420, tv::PixelFormat::kNv12, tv::PixelFormat::kRgb})
    for (const auto backend : {tv::TransformsBackend::kTensor, tv::TransformsBackend::kPil})
      for (const auto path : {tv::PreprocessPath::kFast, tv::PreprocessPath::kReference}) {
        auto plan = tv::make_plan(tv::Transforms{}, kWidth, kHeight, backend);
        if (!plan) return 1;
        auto made = tv::make_preprocessor(std::move(*plan), path);
        if (!made) return 1;
        cases.push_back({format, backend, path, std::move(*made), {}});
      }

  std::vector<float> out(3 * 224 * 224);
  for (int round = -1; round < rounds; ++round)  // the first round warms up
    for (auto& c : cases) {
      // The slow path is timed in every fourth round.
      if (c.path == tv::PreprocessPath::kReference && round % 4 != 0) continue;
      const double spent = run_once(c, make_view(c.format, bytes), out);
      if (round >= 0) c.milliseconds.push_back(spent);
    }

  std::printf("%dx%d -> 224, resize 256, bilinear, antialias; median of %d rounds, ms a frame\n",
              kWidth, kHeight, rounds);
  for (auto& c : cases) {
    const auto middle =
        c.milliseconds.begin() + static_cast<std::ptrdiff_t>(c.milliseconds.size() / 2);
    std::nth_element(c.milliseconds.begin(), middle, c.milliseconds.end());
    std::printf("%-5s %-6s %-9s %8.3f\n", tv::pixel_format_info(c.format).name.data(),
                tv::transforms_backend_name(c.backend).data(),
                c.path == tv::PreprocessPath::kFast ? "fast" : "reference", *middle);
  }
}
