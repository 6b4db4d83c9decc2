// Only the part of the frame that the crop sees is read: everything else is changed, or not even
// mapped.
#include <hwy/targets.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "elements/preprocess/preprocess.hpp"
#include "tests/elements/preprocess/frames.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::test;

namespace {

/// The samples [x0, x1) x [y0, y1) of a component's plane.
struct Region {
  int x0, x1, y0, y1;
};

// What `component` must supply: the window, and with subsampling one more sample on each side for
// the interpolation, as far as the picture goes.
Region needed(const Plan& plan, const FrameView& view, const ComponentLayout& c) {
  // [first, last]: the picture and its margin.
  const auto axis = [](int crop, int first, int last, int begin, int end, int shift, int& low,
                       int& high) {
    low = std::max(((crop + begin) >> shift) - shift, first >> shift);
    high = std::min(((crop + end - 1) >> shift) + shift, last >> shift) + 1;
  };
  Region region{};
  axis(view.crop_x, view.crop_x - view.margin.left,
       view.crop_x + view.width + view.margin.right - 1, plan.source_left, plan.source_right,
       c.shift_x, region.x0, region.x1);
  axis(view.crop_y, view.crop_y - view.margin.top,
       view.crop_y + view.height + view.margin.bottom - 1, plan.source_top, plan.source_bottom,
       c.shift_y, region.y0, region.y1);
  return region;
}

std::unique_ptr<Preprocessor> made(const Plan& plan, PreprocessPath path) {
  auto preprocessor = make_preprocessor(plan, path);
  ck_assert(static_cast<bool>(preprocessor));
  return std::move(*preprocessor);
}

std::vector<float> output_of(Preprocessor& preprocessor, const FrameView& view) {
  const auto crop = static_cast<std::size_t>(preprocessor.plan().crop_size);
  std::vector<float> out(3 * crop * crop);
  const auto done = preprocessor.run(view, out);
  expect_ok(done);
  return out;
}

Plan plan_of(const FrameView& view, int resize, int crop, TransformsBackend backend) {
  Transforms recipe;
  recipe.resize_size = resize;
  recipe.crop_size = crop;
  const auto plan = make_plan(recipe, view.width, view.height, backend);
  ck_assert(static_cast<bool>(plan));
  return *plan;
}

std::vector<std::int64_t> targets() {
  std::vector<std::int64_t> found;
  for (std::int64_t rest = hwy::SupportedTargets() & HWY_TARGETS; rest != 0; rest &= rest - 1)
    found.push_back(rest & -rest);
  return found;
}

// Calls `check(preprocessor)` for the reference and for the fast path on each instruction set.
template <typename Check>
void with_each_path(const Plan& plan, const Check& check) {
  const auto reference = made(plan, PreprocessPath::kReference);
  check(*reference);
  for (const std::int64_t target : targets()) {
    hwy::SetSupportedTargetsForTest(target);
    const auto fast = made(plan, PreprocessPath::kFast);
    check(*fast);
    hwy::SetSupportedTargetsForTest(0);
  }
}

START_TEST(changed_bytes) {
  Bytes random(3);
  for (const auto& info : pixel_formats())
    for (int turn = 0; turn < 8; ++turn) {
      FrameShape shape;
      shape.width = random.between(60, 200);
      shape.height = random.between(60, 200);
      shape.crop_x = random.between(0, 5);
      shape.crop_y = random.between(0, 5);
      shape.extra_x = random.between(0, 5);
      shape.stride_padding = random.between(0, 9);
      OwnedFrame frame = make_frame(info.format, shape, [&] { return random(); });
      frame.view.chroma = {turn % 2 == 1, turn % 4 >= 2};
      if (turn >= 4) add_margin(frame.view, random);
      const Plan plan = plan_of(frame.view, 40, random.between(8, 30),
                                turn % 2 ? TransformsBackend::kPil : TransformsBackend::kTensor);
      // Keep the needed samples, turn all other bits over.
      std::vector<bool> keep(frame.memory.size());
      for (const auto& c : info.components) {
        const Region region = needed(plan, frame.view, c);
        const auto& plane = frame.view.planes[static_cast<std::size_t>(c.plane)];
        for (int y = region.y0; y < region.y1; ++y)
          for (int x = region.x0; x < region.x1; ++x)
            for (int b = 0; b < info.sample_bytes; ++b)
              keep[static_cast<std::size_t>(plane.data - frame.memory.data() + y * plane.stride +
                                            x * c.step + c.offset + b)] = true;
      }
      with_each_path(plan, [&](Preprocessor& preprocessor) {
        const std::vector<float> before = output_of(preprocessor, frame.view);
        for (std::size_t i = 0; i < keep.size(); ++i)
          if (!keep[i]) frame.memory[i] = static_cast<std::uint8_t>(~frame.memory[i]);
        const std::vector<float> after = output_of(preprocessor, frame.view);
        ck_assert_msg(before == after, "%s: bytes outside of the window matter", info.name.data());
        for (std::size_t i = 0; i < keep.size(); ++i)
          if (keep[i]) frame.memory[i] = static_cast<std::uint8_t>(~frame.memory[i]);
        ck_assert_msg(before != output_of(preprocessor, frame.view),
                      "%s: bytes of the window do not matter", info.name.data());
      });
    }
}
END_TEST

constexpr int kLongest = 16384;                 // pixels
constexpr std::ptrdiff_t kRoom = 4 * kLongest;  // bytes, whole pages

/// A plane whose needed rows lie in a room each, between rooms that cannot be entered; other rows
/// have none.
class GuardedPlane {
 public:
  GuardedPlane(int rows) : rows_(rows) {
    rooms_ = static_cast<std::uint8_t*>(mmap(nullptr, static_cast<std::size_t>(size()), PROT_NONE,
                                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ck_assert(rooms_ != MAP_FAILED);
  }
  ~GuardedPlane() { munmap(rooms_, static_cast<std::size_t>(size())); }
  GuardedPlane(const GuardedPlane&) = delete;
  GuardedPlane& operator=(const GuardedPlane&) = delete;

  std::uint8_t* room(int row) { return rooms_ + (2 * row + 1) * kRoom; }
  void open(int row) { ck_assert_int_eq(mprotect(room(row), kRoom, PROT_READ | PROT_WRITE), 0); }

 private:
  std::ptrdiff_t size() const { return (2 * rows_ + 1) * kRoom; }
  int rows_;
  std::uint8_t* rooms_;
};

/// Bytes [begin, end) of the rows [y0, y1) of a plane.
struct Bounds {
  std::ptrdiff_t begin = kRoom, end = 0;
  int y0 = 1 << 20, y1 = 0;
};

Bounds plane_bounds(const Plan& plan, const FrameView& view, int p) {
  Bounds bounds;
  for (const auto& c : pixel_format_info(view.format).components) {
    if (c.plane != p) continue;
    const Region region = needed(plan, view, c);
    bounds.begin = std::min<std::ptrdiff_t>(bounds.begin, region.x0 * c.step);
    bounds.end = std::max<std::ptrdiff_t>(bounds.end, region.x1 * c.step);
    bounds.y0 = std::min(bounds.y0, region.y0);
    bounds.y1 = std::max(bounds.y1, region.y1);
  }
  return bounds;
}

// `at_end`: the needed bytes of each row end where their room ends; else they begin where it
// begins.
struct GuardedFrame {
  FrameView view;
  std::vector<std::unique_ptr<GuardedPlane>> planes;
};
GuardedFrame guard(const OwnedFrame& frame, const Plan& plan, bool at_end) {
  GuardedFrame guarded;
  guarded.view = frame.view;
  const PixelFormatInfo& info = pixel_format_info(frame.view.format);
  for (int p = 0; p < info.planes; ++p) {
    const auto i = static_cast<std::size_t>(p);
    const Bounds bounds = plane_bounds(plan, frame.view, p);
    const std::ptrdiff_t shift = at_end ? kRoom - bounds.end : -bounds.begin;
    guarded.planes.push_back(
        std::make_unique<GuardedPlane>(plane_rows(info, p, frame.view.full_height)));
    GuardedPlane& plane = *guarded.planes.back();
    for (int y = bounds.y0; y < bounds.y1; ++y) {
      plane.open(y);
      std::memcpy(plane.room(y) + shift + bounds.begin,
                  frame.view.planes[i].data + y * frame.view.planes[i].stride + bounds.begin,
                  static_cast<std::size_t>(bounds.end - bounds.begin));
    }
    guarded.view.planes[i] = {plane.room(0) + shift, 2 * kRoom};
  }
  return guarded;
}

// By each path, at both ends of the rooms: it survives, and the pixels are the same.
void expect_no_trespass(const OwnedFrame& frame, const Plan& plan) {
  for (const bool at_end : {false, true}) {
    const GuardedFrame guarded = guard(frame, plan, at_end);
    with_each_path(plan, [&](Preprocessor& preprocessor) {
      ck_assert_msg(output_of(preprocessor, guarded.view) == output_of(preprocessor, frame.view),
                    "%s: other pixels than in plain memory",
                    pixel_format_info(frame.view.format).name.data());
    });
  }
}

START_TEST(guard_pages) {
  Bytes random(4);
  for (const auto& info : pixel_formats())
    for (int turn = 0; turn < 6; ++turn) {
      FrameShape shape;
      shape.width = random.between(70, 240);
      shape.height = random.between(40, 90);
      shape.crop_x = random.between(0, 3);
      shape.crop_y = random.between(0, 3);
      OwnedFrame frame = make_frame(info.format, shape, [&] { return random(); });
      frame.view.chroma = {turn % 2 == 1, turn % 4 >= 2};
      if (turn >= 4) add_margin(frame.view, random);
      expect_no_trespass(frame,
                         plan_of(frame.view, 36, turn == 0 ? 36 : random.between(1, 33),
                                 turn % 2 ? TransformsBackend::kPil : TransformsBackend::kTensor));
    }
}
END_TEST

// Few pixels, odd sides, and the longest side that there is: whole pictures.
START_TEST(guard_pages_around_extreme_sizes) {
  constexpr int kSizes[][2] = {{1, 1}, {1, 2}, {2, 1}, {3, 3}, {1, 67}, {67, 1}, {7, 5}, {130, 3}};
  Bytes random(6);
  for (const auto& info : pixel_formats()) {
    for (const auto& size : kSizes)
      for (const bool cosited : {false, true}) {
        FrameShape shape;
        shape.width = size[0];
        shape.height = size[1];
        OwnedFrame frame = make_frame(info.format, shape, [&] { return random(); });
        frame.view.chroma = {cosited, cosited};
        const int longer = std::max(size[0], size[1]), shorter = std::min(size[0], size[1]);
        expect_no_trespass(frame, plan_of(frame.view, shorter, longer, TransformsBackend::kTensor));
        expect_no_trespass(frame, plan_of(frame.view, 9, 20, TransformsBackend::kPil));
      }
    FrameShape shape;
    shape.width = kLongest;
    shape.height = 64;
    const OwnedFrame frame = make_frame(info.format, shape, [&] { return random(); });
    expect_no_trespass(frame, plan_of(frame.view, 2, 600, TransformsBackend::kTensor));
  }
}
END_TEST

// The guard guards: a plan that sees two more columns dies on the same frame.
START_TEST(guard_pages_bite) {
  FrameShape shape;
  shape.width = shape.height = 64;
  Bytes random(5);
  const OwnedFrame frame = make_frame(PixelFormat::kRgb, shape, [&] { return random(); });
  for (const bool at_end : {false, true}) {
    const GuardedFrame guarded =
        guard(frame, plan_of(frame.view, 64, 60, TransformsBackend::kTensor), at_end);
    const auto wider =
        made(plan_of(frame.view, 64, 62, TransformsBackend::kTensor), PreprocessPath::kFast);
    const pid_t child = fork();
    if (child == 0) {
      std::signal(SIGSEGV, SIG_DFL);
      std::vector<float> out(3 * 62 * 62);
      const auto done = wider->run(guarded.view, out);
      _exit(done ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
  }
}
END_TEST

}  // namespace

int main() {
  return run_suite("window", 120, changed_bytes, guard_pages, guard_pages_around_extreme_sizes,
                   guard_pages_bite);
}
