// decode_jpeg FILE: writes "width height" in a line, then the rows as R, G, B bytes, to standard
// output.
#include "tools/tvmodels/jpeg.hpp"

#include <cstdio>

#include "model_registry/io/file.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto file = tv::read_file(argv[1]);
  if (!file) return std::fprintf(stderr, "%s\n", file.error().text().c_str()), 1;
  if (!tv::cli::is_jpeg(file->span())) return std::fprintf(stderr, "is no JPEG\n"), 1;
  const auto picture = tv::cli::decode_jpeg(file->span());
  if (!picture) return std::fprintf(stderr, "%s\n", picture.error().text().c_str()), 1;
  std::printf("%d %d\n", picture->width, picture->height);
  std::fwrite(picture->pixels.data(), 1, picture->pixels.size(), stdout);
  return 0;
}
