// The door: names of formats, colours of single pixels, and what is refused.
#include <cmath>

#include "elements/preprocess/preprocess.hpp"
#include "tests/elements/preprocess/frames.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::test;

namespace {

// The whole frame, neither resized nor normalised: out = byte / 255.
Transforms as_is(int side) {
  Transforms recipe;
  recipe.resize_size = recipe.crop_size = side;
  recipe.mean = {0, 0, 0};
  recipe.std = {1, 1, 1};
  return recipe;
}

std::unique_ptr<Preprocessor> preprocessor_for(const Transforms& recipe, int width, int height,
                                               PreprocessPath path = PreprocessPath::kFast) {
  auto plan = make_plan(recipe, width, height);
  ck_assert(static_cast<bool>(plan));
  auto made = make_preprocessor(std::move(*plan), path);
  ck_assert(static_cast<bool>(made));
  return std::move(*made);
}

START_TEST(format_names) {
  ck_assert_uint_eq(pixel_formats().size(), 22);
  for (const auto& info : pixel_formats()) {
    const auto found = pixel_format_from_name(info.name);
    ck_assert(found && *found == info.format);
    ck_assert_ptr_eq(&pixel_format_info(info.format), &info);
    for (const auto& c : info.components) {
      ck_assert_int_lt(c.plane, info.planes);
      ck_assert_int_le(c.offset + info.sample_bytes, c.step);
    }
  }
  for (const char* name : {"", "rgb", "RGB ", "NV16", "I420_10BE"})
    ck_assert_msg(!pixel_format_from_name(name), "accepted \"%s\"", name);
}
END_TEST

// Bytes of one pixel 0x10, 0x20, 0x30 in memory order, and the fourth.
START_TEST(rgb_orders) {
  struct Row {
    const char* name;
    std::uint8_t bytes[4];
  };
  constexpr Row kRows[] = {
      {"RGB", {1, 2, 3, 0}},  {"BGR", {3, 2, 1, 0}},  {"RGBA", {1, 2, 3, 9}},
      {"BGRA", {3, 2, 1, 9}}, {"ARGB", {9, 1, 2, 3}}, {"ABGR", {9, 3, 2, 1}},
      {"RGBx", {1, 2, 3, 9}}, {"BGRx", {3, 2, 1, 9}}, {"xRGB", {9, 1, 2, 3}},
      {"xBGR", {9, 3, 2, 1}},
  };
  for (const auto& row : kRows) {
    FrameView view;
    view.format = *pixel_format_from_name(row.name);
    view.width = view.height = view.full_width = view.full_height = 1;
    view.planes[0] = {row.bytes, 4};
    std::vector<float> out(3);
    ck_assert(static_cast<bool>(preprocessor_for(as_is(1), 1, 1)->run(view, out)));
    for (std::size_t c = 0; c < 3; ++c)
      ck_assert_float_eq(out[c], static_cast<float>(c + 1) / 255.0f);
  }
}
END_TEST

// A plane a channel: R, G, B, wherever they lie.
START_TEST(rgb_planes) {
  constexpr std::uint8_t kGreen[] = {2, 9}, kBlue[] = {3, 9}, kRed[] = {1, 9};
  FrameView view;
  view.format = *pixel_format_from_name("RGBP");
  view.width = view.height = view.full_width = view.full_height = 1;
  view.planes = {{{kRed, 2}, {kGreen, 2}, {kBlue, 2}}};
  for (const auto path : {PreprocessPath::kFast, PreprocessPath::kReference}) {
    std::vector<float> out(3);
    expect_ok(preprocessor_for(as_is(1), 1, 1, path)->run(view, out));
    for (std::size_t c = 0; c < 3; ++c)
      ck_assert_float_eq(out[c], static_cast<float>(c + 1) / 255.0f);
  }
}
END_TEST

// One colour in a frame of 3 x 3: the standards' own numbers.
struct Colour {
  ColorMatrix matrix;
  ColorRange range;
  int bits;
  int y, u, v;
  int r, g, b;
};
// clang-format off
constexpr Colour kColours[] = {
  {ColorMatrix::kBt601,  ColorRange::kLimited,  8,  16, 128, 128,   0,   0,   0},
  {ColorMatrix::kBt601,  ColorRange::kLimited,  8, 235, 128, 128, 255, 255, 255},
  {ColorMatrix::kBt601,  ColorRange::kLimited,  8,  81,  90, 240, 254,   0,   0},
  {ColorMatrix::kBt601,  ColorRange::kLimited,  8, 145,  54,  34,   0, 255,   1},
  {ColorMatrix::kBt601,  ColorRange::kLimited,  8,  41, 240, 110,   0,   0, 255},
  {ColorMatrix::kBt709,  ColorRange::kLimited,  8,  63, 102, 240, 255,   1,   0},
  {ColorMatrix::kBt709,  ColorRange::kLimited,  8, 173,  42,  26,   0, 255,   1},
  {ColorMatrix::kBt709,  ColorRange::kLimited,  8,  32, 240, 118,   1,   0, 255},
  {ColorMatrix::kBt601,  ColorRange::kFull,     8,  76,  85, 255, 254,   0,   0},
  {ColorMatrix::kBt709,  ColorRange::kFull,     8,   0, 128, 128,   0,   0,   0},
  {ColorMatrix::kBt709,  ColorRange::kFull,     8, 255, 128, 128, 255, 255, 255},
  {ColorMatrix::kBt2020, ColorRange::kLimited, 10,  64, 512, 512,   0,   0,   0},
  {ColorMatrix::kBt2020, ColorRange::kLimited, 10, 940, 512, 512, 255, 255, 255},
  {ColorMatrix::kBt2020, ColorRange::kFull,    10,1023, 512, 512, 255, 255, 255},
  {ColorMatrix::kBt2020, ColorRange::kLimited, 10, 294, 387, 960, 255,   0,   0},
};
// clang-format on

START_TEST(known_colours) {
  for (const auto& colour : kColours)
    for (const auto& info : pixel_formats()) {
      if (!info.yuv || info.bits != colour.bits) continue;
      FrameShape shape;
      shape.width = shape.height = 3;
      OwnedFrame frame = make_frame(info.format, shape, [] { return std::uint8_t{0}; });
      frame.view.matrix = colour.matrix;
      frame.view.range = colour.range;
      const int values[] = {colour.y, colour.u, colour.v};
      for (std::size_t k = 0; k < 3; ++k) {
        const ComponentLayout& c = info.components[k];
        const auto& plane = frame.view.planes[static_cast<std::size_t>(c.plane)];
        for (int y = 0; y <= (2 >> c.shift_y); ++y)
          for (int x = 0; x <= (2 >> c.shift_x); ++x) {
            auto* at = frame.memory.data() + (plane.data - frame.memory.data()) + y * plane.stride +
                       x * c.step + c.offset;
            const int word = values[k] << info.sample_shift;
            at[0] = static_cast<std::uint8_t>(word);
            if (info.sample_bytes == 2) at[1] = static_cast<std::uint8_t>(word >> 8);
          }
      }
      for (const auto path : {PreprocessPath::kReference, PreprocessPath::kFast}) {
        std::vector<float> out(27);
        ck_assert(static_cast<bool>(preprocessor_for(as_is(3), 3, 3, path)->run(frame.view, out)));
        const int rgb[] = {colour.r, colour.g, colour.b};
        for (std::size_t i = 0; i < 27; ++i)
          ck_assert_msg(std::lround(out[i] * 255) == rgb[i / 9],
                        "%s (%d, %d, %d): channel %zu is %ld, expected %d", info.name.data(),
                        colour.y, colour.u, colour.v, i / 9, std::lround(out[i] * 255), rgb[i / 9]);
      }
    }
}
END_TEST

// Chroma 128 | 160 under four luma columns: the ramp depends on where the samples lie.
START_TEST(chroma_siting) {
  const std::uint8_t luma[16] = {100, 100, 100, 100, 100, 100, 100, 100,
                                 100, 100, 100, 100, 100, 100, 100, 100};
  const std::uint8_t u[4] = {128, 128, 128, 128}, v[4] = {128, 160, 128, 160};
  FrameView view;
  view.format = PixelFormat::kI420;
  view.width = view.height = view.full_width = view.full_height = 4;
  view.planes = {{{luma, 4}, {u, 2}, {v, 2}}};
  view.range = ColorRange::kFull;
  const auto red_row = [&](bool cosited) {
    view.chroma.horizontal_cosited = cosited;
    std::vector<float> out(48);
    ck_assert(static_cast<bool>(preprocessor_for(as_is(4), 4, 4)->run(view, out)));
    std::array<long, 4> row{};
    for (std::size_t x = 0; x < 4; ++x) row[x] = std::lround(out[x] * 255);
    return row;
  };
  // 1.402 times 0, 8, 24, 32 and 0, 16, 32, 32 above 100.
  ck_assert((red_row(false) == std::array<long, 4>{100, 111, 134, 145}));
  ck_assert((red_row(true) == std::array<long, 4>{100, 122, 145, 145}));
}
END_TEST

void refuse(const FrameView& view, std::size_t room, const char* text) {
  for (const auto path : {PreprocessPath::kReference, PreprocessPath::kFast}) {
    std::vector<float> out(room);
    const auto done = preprocessor_for(as_is(8), 8, 8, path)->run(view, out);
    ck_assert_msg(!done, "accepted, expected a refusal about %s", text);
    ck_assert(done.error().code == Code::kInvalidArgument);
    expect_contains(done.error().text(), text);
  }
}

START_TEST(refused_frames) {
  FrameShape shape;
  shape.width = shape.height = 8;
  const OwnedFrame good = make_frame(PixelFormat::kI420, shape, [] { return std::uint8_t{1}; });
  std::vector<float> out(192);
  ck_assert(static_cast<bool>(preprocessor_for(as_is(8), 8, 8)->run(good.view, out)));
  refuse(good.view, 191, "191");
  FrameView bad = good.view;
  bad.width = 9;
  refuse(bad, 192, "9x8");
  bad = good.view;
  bad.crop_x = 1;
  refuse(bad, 192, "does not lie in planes");
  bad = good.view;
  bad.crop_y = -1;
  refuse(bad, 192, "does not lie in planes");
  bad = good.view;
  bad.full_width = bad.full_height = 0;
  refuse(bad, 192, "planes of 0x0");
  for (int FrameView::Margin::*side : {&FrameView::Margin::left, &FrameView::Margin::top,
                                       &FrameView::Margin::right, &FrameView::Margin::bottom})
    for (const int pixels : {1, -1}) {
      bad = good.view;
      bad.margin.*side = pixels;
      refuse(bad, 192, "margin");
    }
  bad = good.view;
  bad.planes[2].data = nullptr;
  refuse(bad, 192, "plane 2 of the I420 frame is missing");
  bad = good.view;
  bad.planes[1].stride = 3;
  refuse(bad, 192, "stride of 3");
  bad = good.view;
  bad.format = static_cast<PixelFormat>(99);
  refuse(bad, 192, "pixel format");
}
END_TEST

START_TEST(refused_plans) {
  const auto plan = make_plan(Transforms{}, 640, 480);
  ck_assert(static_cast<bool>(plan));
  const auto refuse_plan = [&](auto change) {
    Plan changed = *plan;
    change(changed);
    const auto made = make_preprocessor(changed);
    ck_assert(!made && made.error().code == Code::kInvalidArgument);
  };
  refuse_plan([](Plan& p) { p.horizontal.first[5] = 100000; });
  refuse_plan([](Plan& p) { p.horizontal.first[5] = -100000; });
  refuse_plan([](Plan& p) { p.horizontal.count[0] = 1000; });
  refuse_plan([](Plan& p) { p.vertical.count[3] = 0; });
  refuse_plan([](Plan& p) { p.vertical.weights.pop_back(); });
  refuse_plan([](Plan& p) { p.vertical.separate[0] = 0; });
  refuse_plan([](Plan& p) { p.horizontal.lead = 2; });
  refuse_plan([](Plan& p) { p.crop_size = 100; });
  refuse_plan([](Plan& p) { p.source_right = 641; });
  refuse_plan([](Plan& p) { p.source_left += 1; });
  refuse_plan([](Plan& p) { p.x1 = 230; });
  refuse_plan([](Plan& p) { p.backend = TransformsBackend::kPil; });
}
END_TEST

}  // namespace

int main() {
  return run_suite("view", 60, format_names, rgb_orders, rgb_planes, known_colours, chroma_siting,
                   refused_frames, refused_plans);
}
