#include "elements/common/bus.hpp"

#include <array>
#include <string>

#include "model_registry/io/utf8.hpp"

namespace tv {
namespace {

/// Domains by name: the quark functions are no constants.
enum class Domain : std::uint8_t { kCore, kLibrary, kResource, kStream };

struct Reading {
  Domain domain;
  int code;
};

// clang-format off
struct Row {
  Code code;
  Reading settings, load, caps, frame;
};

constexpr Reading kNegotiation  {Domain::kCore,     GST_CORE_ERROR_NEGOTIATION};
constexpr Reading kNotDone      {Domain::kCore,     GST_CORE_ERROR_NOT_IMPLEMENTED};
constexpr Reading kSettings     {Domain::kLibrary,  GST_LIBRARY_ERROR_SETTINGS};
constexpr Reading kInit         {Domain::kLibrary,  GST_LIBRARY_ERROR_INIT};
constexpr Reading kBug          {Domain::kLibrary,  GST_LIBRARY_ERROR_FAILED};
constexpr Reading kNotFound     {Domain::kResource, GST_RESOURCE_ERROR_NOT_FOUND};
constexpr Reading kOpenRead     {Domain::kResource, GST_RESOURCE_ERROR_OPEN_READ};
constexpr Reading kOpenWrite    {Domain::kResource, GST_RESOURCE_ERROR_OPEN_WRITE};
constexpr Reading kRead         {Domain::kResource, GST_RESOURCE_ERROR_READ};
constexpr Reading kNoSpace      {Domain::kResource, GST_RESOURCE_ERROR_NO_SPACE_LEFT};
constexpr Reading kFailed       {Domain::kResource, GST_RESOURCE_ERROR_FAILED};
constexpr Reading kFormat       {Domain::kStream,   GST_STREAM_ERROR_FORMAT};

/// In the order of Code.
constexpr Row kRows[] = {
  // code                   settings     load         caps           frame
  {Code::kInvalidArgument,  kSettings,   kSettings,   kNegotiation,  kFormat},
  {Code::kNotFound,         kNotFound,   kOpenRead,   kNotFound,     kNotFound},
  {Code::kUnreadable,       kOpenRead,   kOpenRead,   kOpenRead,     kRead},
  {Code::kBadCheckpoint,    kRead,       kRead,       kRead,         kRead},
  {Code::kBadDigest,        kRead,       kRead,       kRead,         kRead},
  {Code::kNoSpace,          kNoSpace,    kNoSpace,    kNoSpace,      kNoSpace},
  {Code::kUnwritable,       kOpenWrite,  kOpenWrite,  kOpenWrite,    kOpenWrite},
  {Code::kUnsupported,      kNotDone,    kNotDone,    kNegotiation,  kNotDone},
  {Code::kUnavailable,      kInit,       kInit,       kInit,         kInit},
  {Code::kDevice,           kFailed,     kFailed,     kFailed,       kFailed},
  {Code::kDeviceLost,       kFailed,     kFailed,     kFailed,       kFailed},
  {Code::kCancelled,        kBug,        kBug,        kBug,          kBug},  // never posted
  {Code::kInternal,         kBug,        kBug,        kBug,          kBug},
};
// clang-format on

constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(kRows); ++i)
    if (kRows[i].code != static_cast<Code>(i)) return false;
  return std::size(kRows) == static_cast<std::size_t>(Code::kInternal) + 1;
}
static_assert(in_order());

GQuark quark(Domain domain) {
  switch (domain) {
    case Domain::kCore:
      return GST_CORE_ERROR;
    case Domain::kLibrary:
      return GST_LIBRARY_ERROR;
    case Domain::kResource:
      return GST_RESOURCE_ERROR;
    case Domain::kStream:
      break;
  }
  return GST_STREAM_ERROR;
}

/// In the order of Stage.
constexpr std::string_view kStageNames[] = {"settings", "loading", "caps", "frame"};

/// The path below the root of the sources, whatever the compiler was called with.
const char* file_of(const std::source_location& where) {
  const std::string_view path = where.file_name();
  const std::size_t root = path.rfind("elements/");
  return where.file_name() + (root == path.npos ? 0 : root);
}

/// "tv::Run::judge" of "tv::Run::Outcome tv::Run::judge(GstBuffer*)".
std::string function_of(const std::source_location& where) {
  const std::string_view whole = where.function_name();
  const std::string_view name = whole.substr(0, whole.find('('));
  const std::size_t space = name.rfind(' ');
  return std::string(space == name.npos ? name : name.substr(space + 1));
}

/// Names and paths from outside stand in texts as they were given, but GStreamer takes UTF-8 alone
/// and a terminal obeys control characters. A text without end keeps both of its ends. The readers
/// of weight files spell such a path in the same way.
std::string presentable(std::string_view text) {
  constexpr std::size_t kMost = 2000;  // bytes; our own longest text has some hundred
  const std::string line = io::printable(text);
  if (line.size() <= kMost) return line;
  const auto is_inside_character = [&](std::size_t at) { return (line[at] & 0xC0) == 0x80; };
  std::size_t head = kMost / 2, tail = line.size() - kMost / 2;
  while (is_inside_character(head)) --head;
  while (is_inside_character(tail)) ++tail;
  return line.substr(0, head) + " ... " + line.substr(tail);
}

void post(GstElement* element, GstMessageType type, const Error& error, Stage stage,
          std::string_view about, const std::source_location& where) {
  if (error.code == Code::kCancelled) return;
  const BusCode to = bus_code(error.code, stage);
  // One by one: a long name does not push out what to do about it.
  const std::string text =
      Error{error.code, presentable(error.what), presentable(error.hint)}.text();
  std::string debug = "code " + std::string(code_name(error.code)) + ", stage " +
                      std::string(kStageNames[static_cast<std::size_t>(stage)]);
  if (!about.empty()) debug += ", " + presentable(about);
  // The message takes ownership of both strings.
  gst_element_message_full(element, type, to.domain, to.code, g_strdup(text.c_str()),
                           g_strdup(debug.c_str()), file_of(where), function_of(where).c_str(),
                           static_cast<gint>(where.line()));
}

}  // namespace

BusCode bus_code(Code code, Stage stage) {
  const Row& row = kRows[static_cast<std::size_t>(code)];
  const std::array<Reading, 4> readings = {row.settings, row.load, row.caps, row.frame};
  const Reading& reading = readings[static_cast<std::size_t>(stage)];
  return {quark(reading.domain), reading.code};
}

void post_error(GstElement* element, const Error& error, Stage stage, std::string_view about,
                const std::source_location& where) {
  post(element, GST_MESSAGE_ERROR, error, stage, about, where);
}

void post_warning(GstElement* element, const Error& error, Stage stage, std::string_view about,
                  const std::source_location& where) {
  post(element, GST_MESSAGE_WARNING, error, stage, about, where);
}

void post_info(GstElement* element, const Error& notice, Stage stage,
               const std::source_location& where) {
  post(element, GST_MESSAGE_INFO, notice, stage, {}, where);
}

}  // namespace tv
