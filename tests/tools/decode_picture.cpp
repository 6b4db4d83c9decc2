// decode_picture FILE: writes "width height" of the first frame in a line, then its rows as R, G, B
// bytes, to standard output; "N frames" to standard error.
#include <atomic>
#include <cstdio>
#include <vector>

#include "elements/tvclassify/frame.hpp"
#include "tools/tvmodels/decoder.hpp"

namespace {

int fail(const tv::Error& error) {
  std::fprintf(stderr, "%s\n", error.text().c_str());
  return 1;
}

bool write_rgb(const tv::FrameView& view) {
  const tv::PixelFormatInfo& format = tv::pixel_format_info(view.format);
  if (format.yuv || format.bits != 8) return false;
  std::printf("%d %d\n", view.width, view.height);
  for (int y = 0; y < view.height; ++y)
    for (int x = 0; x < view.width; ++x)
      for (const tv::ComponentLayout& c : format.components) {
        const auto& plane = view.planes[static_cast<std::size_t>(c.plane)];
        std::fputc(plane.data[y * plane.stride + c.offset + x * c.step], stdout);
      }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::atomic<bool> stop{false};
  auto decoder = tv::cli::Decoder::open(argv[1]);
  if (!decoder) return fail(decoder.error());
  for (int count = 0;; ++count) {
    const auto frame = decoder->next(stop);
    if (!frame) return fail(frame.error());
    if (!*frame) return std::fprintf(stderr, "%d frames\n", count), 0;
    if (count > 0) continue;
    const auto mapped = tv::map_frame((*frame)->buffer.get(), (*frame)->info);
    if (!mapped) return fail(mapped.error());
    if (!write_rgb(mapped->view)) return std::fprintf(stderr, "not RGB in 8 bits\n"), 1;
  }
}
