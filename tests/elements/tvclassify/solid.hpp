// What tests with the stub backend push and pull: frames of one colour, or of a few.
#pragma once

#include "tests/elements/inference/stub_backend.hpp"
#include "tests/elements/tvclassify/support.hpp"

namespace tv::test {

inline const std::string kStub =
    "tvclassify model=squeezenet1_1 weights=none crop-size=32 resize-size=32 ";

/// A frame of packed RGB rows without padding.
inline BufferRef buffer_of(const std::vector<guint8>& rgb) {
  BufferRef buffer(gst_buffer_new_allocate(nullptr, rgb.size(), nullptr));
  gst_buffer_fill(buffer.get(), 0, rgb.data(), rgb.size());
  return buffer;
}

struct Rgb {
  int red = 0, green = 0, blue = 0;
};

/// A picture 64x48 of columns of equal width, one of each colour.
inline BufferRef columns(const std::vector<Rgb>& colors) {
  std::vector<guint8> rgb;
  for (std::size_t i = 0; i < 64 * 48; ++i) {
    const Rgb& color = colors[i % 64 * colors.size() / 64];
    for (const int level : {color.red, color.green, color.blue})
      rgb.push_back(static_cast<guint8>(level));
  }
  return buffer_of(rgb);
}

/// A solid picture; its class is stub_class(red, green >= 128).
inline BufferRef solid(int red, int green = 0, int blue = 0, gsize pixels = 64 * 48,
                       GstClockTime time = GST_CLOCK_TIME_NONE) {
  std::vector<guint8> rgb;
  for (gsize i = 0; i < pixels; ++i)
    rgb.insert(rgb.end(),
               {static_cast<guint8>(red), static_cast<guint8>(green), static_cast<guint8>(blue)});
  BufferRef buffer = buffer_of(rgb);
  GST_BUFFER_PTS(buffer.get()) = time;
  return buffer;
}

inline BufferRef next(Bench& bench) {
  BufferRef buffer(gst_harness_pull(bench.harness()));
  ck_assert(buffer != nullptr);
  return buffer;
}
inline Meta next_meta(Bench& bench) {
  return read_meta(next(bench).get());
}

/// Of a solid picture that passes through.
inline int class_of(Bench& bench, int red) {
  return read_meta(bench.pass(solid(red)).get()).best();
}

}  // namespace tv::test
