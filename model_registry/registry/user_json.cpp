#include "model_registry/registry/user_json.hpp"

#include <algorithm>
#include <exception>
#include <set>
#include <utility>
#include <vector>

#include "model_registry/registry/text.hpp"

namespace tv {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kDeepest = 8;
constexpr std::size_t kShownBytes = 60;

/// "line 3, column 7" of a byte (counted from 1).
std::string position(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, std::min(byte > 0 ? byte - 1 : 0, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto newline = before.rfind('\n');
  const auto column =
      newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

/// Watches the parser for what JSON permits and we do not.
class Watcher {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end && !keys_.empty()) keys_.pop_back();
    if (event == Event::key && !keys_.empty()) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second) fault_ = "key " + in_quotes(key) + " stands twice";
    }
    if (depth > kDeepest) fault_ = "nested deeper than " + std::to_string(kDeepest) + " levels";
    return fault_.empty();
  }
  const std::string& fault() const { return fault_; }

 private:
  std::vector<std::set<std::string>> keys_;
  std::string fault_;
};

Error bad_json(const std::string& path, const std::string& what) {
  return {Code::kInvalidArgument, in_quotes(path) + ": " + what, ""};
}

}  // namespace

Result<Json> parse_json(const std::string& path, std::string_view text) {
  try {
    Watcher watcher;
    Json value = Json::parse(text.begin(), text.end(), std::ref(watcher));
    if (!watcher.fault().empty())
      return bad_json(path, "expected plain JSON, found " + watcher.fault());
    return value;
  } catch (const Json::parse_error& error) {
    return bad_json(path, "expected JSON, found a syntax error at " + position(text, error.byte));
  } catch (const std::exception&) {
    return bad_json(path, "expected JSON, found a number beyond the range of a double");
  }
}

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
  if (text.size() > kShownBytes) text = text.substr(0, kShownBytes) + "...";
  return text;
}

}  // namespace tv
