#include "tools/tvmodels/jpeg.hpp"

#include <csetjmp>
#include <cstdio>
#include <new>
#include <string>

#include <jpeglib.h>  // needs <cstdio>

#include <jerror.h>

namespace tv::cli {
namespace {

constexpr std::uint64_t kMostPixels = 178'956'970;  // above, Pillow raises DecompressionBombError

// libjpeg reports errors by a jump. Whatever is between the jump and its target must have no
// destructor: only the two step functions below call libjpeg, and they own nothing.
struct Session {
  jpeg_decompress_struct libjpeg;
  jpeg_error_mgr errors;
  std::jmp_buf on_error;
  bool cut_off;                   // the data ended before the picture
  char message[JMSG_LENGTH_MAX];  // of the error
};

Session& session_of(j_common_ptr libjpeg) {
  return *static_cast<Session*>(libjpeg->client_data);
}

[[noreturn]] void on_error(j_common_ptr libjpeg) {
  Session& session = session_of(libjpeg);
  libjpeg->err->format_message(libjpeg, session.message);
  std::longjmp(session.on_error, 1);
}

// Warnings are about data that libjpeg mends, as it does for Pillow; but Pillow refuses a file that
// ends too early.
void on_message(j_common_ptr libjpeg, int level) {
  if (level < 0 && libjpeg->err->msg_code == JWRN_JPEG_EOF) session_of(libjpeg).cut_off = true;
}

bool read_header(Session& session, std::span<const std::byte> file) {
  if (setjmp(session.on_error)) return false;
  jpeg_create_decompress(&session.libjpeg);
  jpeg_mem_src(&session.libjpeg, reinterpret_cast<const unsigned char*>(file.data()),
               static_cast<unsigned long>(file.size()));
  jpeg_read_header(&session.libjpeg, TRUE);
  session.libjpeg.out_color_space = session.libjpeg.num_components == 4 ? JCS_CMYK : JCS_RGB;
  return true;
}

// One row of CMYK as Adobe's programs write it, each ink inverted, by the formula of Pillow's
// convert("RGB").
void row_from_cmyk(const std::uint8_t* cmyk, std::size_t width, std::uint8_t* rgb) {
  const auto multiply = [](unsigned a, unsigned b) {
    const unsigned product = a * b + 128;
    return ((product >> 8) + product) >> 8;
  };
  for (std::size_t x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const unsigned light = cmyk[3];
    for (std::size_t ink = 0; ink < 3; ++ink)
      rgb[ink] = static_cast<std::uint8_t>(light - multiply(255U - cmyk[ink], light));
  }
}

// `cmyk`: one row of four components, used where the file has these.
bool read_rows(Session& session, std::uint8_t* rgb, std::uint8_t* cmyk) {
  if (setjmp(session.on_error)) return false;
  jpeg_start_decompress(&session.libjpeg);
  const std::size_t width = session.libjpeg.output_width;
  while (session.libjpeg.output_scanline < session.libjpeg.output_height) {
    const std::size_t y = session.libjpeg.output_scanline;
    JSAMPROW row = cmyk ? cmyk : rgb + 3 * width * y;
    jpeg_read_scanlines(&session.libjpeg, &row, 1);
    if (cmyk) row_from_cmyk(cmyk, width, rgb + 3 * width * y);
  }
  jpeg_finish_decompress(&session.libjpeg);
  return true;
}

Result<RgbPicture> decode(Session& session, std::span<const std::byte> file) {
  const auto unreadable = [&] {
    return Error{Code::kUnreadable, std::string("cannot be decoded: ") + session.message,
                 "is it damaged?"};
  };
  if (!read_header(session, file)) return unreadable();
  RgbPicture picture;
  const std::uint64_t pixels =
      std::uint64_t{session.libjpeg.image_width} * session.libjpeg.image_height;
  picture.width = static_cast<int>(session.libjpeg.image_width);
  picture.height = static_cast<int>(session.libjpeg.image_height);
  if (pixels > kMostPixels)
    return Error{Code::kUnreadable,
                 "has " + std::to_string(picture.width) + " x " + std::to_string(picture.height) +
                     " pixels, expected at most " + std::to_string(kMostPixels),
                 "make it smaller"};
  std::vector<std::uint8_t> cmyk;
  try {
    picture.pixels.resize(3 * pixels);
    if (session.libjpeg.out_color_space == JCS_CMYK)
      cmyk.resize(std::size_t{4} * session.libjpeg.image_width);
  } catch (const std::bad_alloc&) {
    return Error{Code::kUnavailable, "no memory for its pixels", ""};
  }
  if (!read_rows(session, picture.pixels.data(), cmyk.empty() ? nullptr : cmyk.data()))
    return unreadable();
  if (session.cut_off)
    return Error{Code::kUnreadable, "cannot be decoded: the file ends before the picture does",
                 "is it damaged?"};
  return picture;
}

}  // namespace

bool is_jpeg(std::span<const std::byte> file) {
  return file.size() >= 3 && file[0] == std::byte{0xFF} && file[1] == std::byte{0xD8} &&
         file[2] == std::byte{0xFF};
}

Result<RgbPicture> decode_jpeg(std::span<const std::byte> file) {
  Session session{};
  session.libjpeg.err = jpeg_std_error(&session.errors);
  session.libjpeg.client_data = &session;
  session.errors.error_exit = on_error;
  session.errors.emit_message = on_message;
  Result<RgbPicture> picture = decode(session, file);
  jpeg_destroy_decompress(&session.libjpeg);
  return picture;
}

}  // namespace tv::cli
