#include "model_registry/checkpoint/pickle.hpp"

#include <array>
#include <cstring>

#include "model_registry/checkpoint/bytes.hpp"
#include "model_registry/checkpoint/globals.hpp"

namespace tv::checkpoint {

// What follows each opcode, and who runs it. Rows without a function are known and refused: their
// names are for the message. STOP is the loop's own.
struct OpcodeTable {
  using Run = Status (PickleMachine::*)();
  struct Row {
    std::uint8_t code;
    std::string_view name;
    Run run;
  };
  using M = PickleMachine;
  // clang-format off
  static constexpr std::array kRows = {
      Row{0x80, "PROTO",            &M::op_proto},
      Row{'(',  "MARK",             &M::op_mark},
      Row{'c',  "GLOBAL",           &M::op_global},
      Row{'R',  "REDUCE",           &M::op_reduce},
      Row{0x81, "NEWOBJ",           &M::op_newobj},
      Row{'b',  "BUILD",            &M::op_build},
      Row{'Q',  "BINPERSID",        &M::op_binpersid},
      Row{'q',  "BINPUT",           &M::op_put<std::uint8_t>},
      Row{'r',  "LONG_BINPUT",      &M::op_put<std::uint32_t>},
      Row{'h',  "BINGET",           &M::op_get<std::uint8_t>},
      Row{'j',  "LONG_BINGET",      &M::op_get<std::uint32_t>},
      Row{'X',  "BINUNICODE",       &M::op_string<std::uint32_t>},
      Row{'T',  "BINSTRING",        &M::op_string<std::uint32_t>},
      Row{'U',  "SHORT_BINSTRING",  &M::op_string<std::uint8_t>},
      Row{'K',  "BININT1",          &M::op_int<std::uint8_t>},
      Row{'M',  "BININT2",          &M::op_int<std::uint16_t>},
      Row{'J',  "BININT",           &M::op_int<std::int32_t>},
      Row{0x8a, "LONG1",            &M::op_long1},
      Row{'G',  "BINFLOAT",         &M::op_binfloat},
      Row{'N',  "NONE",             &M::op_none},
      Row{0x88, "NEWTRUE",          &M::op_true},
      Row{0x89, "NEWFALSE",         &M::op_false},
      Row{']',  "EMPTY_LIST",       &M::op_empty_list},
      Row{'}',  "EMPTY_DICT",       &M::op_empty_dict},
      Row{')',  "EMPTY_TUPLE",      &M::op_small_tuple<0>},
      Row{0x85, "TUPLE1",           &M::op_small_tuple<1>},
      Row{0x86, "TUPLE2",           &M::op_small_tuple<2>},
      Row{0x87, "TUPLE3",           &M::op_small_tuple<3>},
      Row{'t',  "TUPLE",            &M::op_tuple},
      Row{'a',  "APPEND",           &M::op_append},
      Row{'e',  "APPENDS",          &M::op_appends},
      Row{'s',  "SETITEM",          &M::op_setitem},
      Row{'u',  "SETITEMS",         &M::op_setitems},
      Row{'0',  "POP",              nullptr},
      Row{'1',  "POP_MARK",         nullptr},
      Row{'2',  "DUP",              nullptr},
      Row{'F',  "FLOAT",            nullptr},
      Row{'I',  "INT",              nullptr},
      Row{'L',  "LONG",             nullptr},
      Row{'P',  "PERSID",           nullptr},
      Row{'S',  "STRING",           nullptr},
      Row{'V',  "UNICODE",          nullptr},
      Row{'d',  "DICT",             nullptr},
      Row{'l',  "LIST",             nullptr},
      Row{'g',  "GET",              nullptr},
      Row{'p',  "PUT",              nullptr},
      Row{'i',  "INST",             nullptr},
      Row{'o',  "OBJ",              nullptr},
      Row{0x82, "EXT1",             nullptr},
      Row{0x83, "EXT2",             nullptr},
      Row{0x84, "EXT4",             nullptr},
      Row{0x8b, "LONG4",            nullptr},
      Row{'B',  "BINBYTES",         nullptr},
      Row{'C',  "SHORT_BINBYTES",   nullptr},
      Row{0x8c, "SHORT_BINUNICODE", nullptr},
      Row{0x8d, "BINUNICODE8",      nullptr},
      Row{0x8e, "BINBYTES8",        nullptr},
      Row{0x8f, "EMPTY_SET",        nullptr},
      Row{0x90, "ADDITEMS",         nullptr},
      Row{0x91, "FROZENSET",        nullptr},
      Row{0x92, "NEWOBJ_EX",        nullptr},
      Row{0x93, "STACK_GLOBAL",     nullptr},
      Row{0x94, "MEMOIZE",          nullptr},
      Row{0x95, "FRAME",            nullptr},
      Row{0x96, "BYTEARRAY8",       nullptr},
      Row{0x97, "NEXT_BUFFER",      nullptr},
      Row{0x98, "READONLY_BUFFER",  nullptr},
  };
  // clang-format on
  static constexpr std::uint8_t kStop = '.';

  static const Row* find(std::uint8_t code) {
    static constexpr auto kIndex = [] {
      std::array<std::int8_t, 256> index{};
      index.fill(-1);
      for (std::size_t i = 0; i < kRows.size(); ++i)
        index[kRows[i].code] = static_cast<std::int8_t>(i);
      return index;
    }();
    const int i = kIndex[code];
    return i < 0 ? nullptr : &kRows[static_cast<std::size_t>(i)];
  }
};

std::string opcode_text(std::uint8_t code) {
  constexpr char kHex[] = "0123456789abcdef";
  const OpcodeTable::Row* row = OpcodeTable::find(code);
  std::string text = code == OpcodeTable::kStop ? "STOP" : std::string(row ? row->name : "unknown");
  return text + " (0x" + kHex[code >> 4] + kHex[code & 15] + ")";
}

std::string_view kind_text(Kind kind) {
  constexpr std::array<std::string_view, 12> kTexts = {
      "None",   "a bool", "an integer", "a float",   "a string", "a tuple",
      "a list", "a dict", "a global",   "a storage", "a tensor", "an object"};
  return kTexts[static_cast<std::size_t>(kind)];
}

Result<Value> PickleMachine::run() {
  // The very first thing, so that no later opcode is read under another protocol's meaning.
  if (stream_.empty() || std::to_integer<std::uint8_t>(stream_[0]) != 0x80)
    return refuse_here("not a pickle of protocol 2 (it begins with " +
                       (stream_.empty() ? std::string("nothing")
                                        : opcode_text(std::to_integer<std::uint8_t>(stream_[0]))) +
                       ")");
  while (position_ < stream_.size()) {
    opcode_at_ = position_;
    const auto code = std::to_integer<std::uint8_t>(stream_[position_++]);
    if (code == OpcodeTable::kStop) {
      if (stack_.size() != 1 || !marks_.empty())
        return refuse_here("STOP with " + std::to_string(stack_.size()) +
                           " values on the stack, expected 1");
      return stack_.back();
    }
    const OpcodeTable::Row* row = OpcodeTable::find(code);
    if (row == nullptr || row->run == nullptr) return refuse_opcode(code);
    TV_RETURN_IF_ERROR((this->*row->run)());
  }
  return refuse(place_, stream_.size(), "the pickle ends without STOP");
}

Error PickleMachine::refuse_opcode(std::uint8_t code) const {
  return refuse_here("refused opcode " + opcode_text(code), kPlainDataHint);
}

Status PickleMachine::take(std::size_t count, const std::byte** bytes) {
  if (stream_.size() - position_ < count)
    return refuse_here("the pickle ends inside an operand: " + std::to_string(count) +
                       " bytes needed, " + std::to_string(stream_.size() - position_) + " left");
  *bytes = stream_.data() + position_;
  position_ += count;
  return {};
}

Status PickleMachine::need(std::size_t values) const {
  const std::size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() - floor >= values) return {};
  return refuse_here("stack underflow");
}

Status PickleMachine::push(const Value& value) {
  if (stack_.size() == stack_charged_) {
    if (!budget_.charge(sizeof(Value))) return over_budget(place_, opcode_at_);
    ++stack_charged_;
  }
  stack_.push_back(value);
  return {};
}

void PickleMachine::drop_to(std::size_t first) {
  stack_.erase(stack_.begin() + static_cast<std::ptrdiff_t>(first), stack_.end());
}

Status PickleMachine::push_tuple(std::size_t first) {
  const std::size_t count = stack_.size() - first;
  if (!budget_.charge(count * sizeof(Value))) return over_budget(place_, opcode_at_);
  const Value tuple =
      Value::of_object(Kind::kTuple, heap_.tuples.size(), static_cast<std::uint32_t>(count));
  for (std::size_t i = first; i < stack_.size(); ++i) heap_.tuples.push_back(stack_[i]);
  drop_to(first);
  return push(tuple);
}

Status PickleMachine::pop_mark(std::size_t* first) {
  if (marks_.empty()) return refuse_here("no MARK on the stack");
  *first = marks_.back();
  marks_.pop_back();
  return {};
}

Status PickleMachine::op_proto() {
  const std::byte* version = nullptr;
  TV_RETURN_IF_ERROR(take(1, &version));
  const int found = std::to_integer<int>(*version);
  if (opcode_at_ != 0) return refuse_here("PROTO inside the stream");
  if (found != 2)
    return refuse_here("refused pickle protocol " + std::to_string(found) + ", expected 2",
                       "save it again with torch.save's default pickle_protocol");
  return {};
}

Status PickleMachine::op_mark() {
  if (!budget_.charge(sizeof(std::size_t))) return over_budget(place_, opcode_at_);
  marks_.push_back(stack_.size());
  return {};
}

Status PickleMachine::op_global() {
  std::string_view parts[2];
  for (std::string_view& part : parts) {
    const std::string_view rest(reinterpret_cast<const char*>(stream_.data()) + position_,
                                stream_.size() - position_);
    const std::size_t end = rest.substr(0, kMaxGlobalName + 1).find('\n');
    if (end == std::string_view::npos)
      return refuse_here("a global's name does not end within " + std::to_string(kMaxGlobalName) +
                         " bytes");
    part = rest.substr(0, end);
    position_ += end + 1;
  }
  const int row = find_global(parts[0], parts[1]);
  if (row < 0)
    return refuse_here(
        "refused global " + quoted(std::string(parts[0]) + "." + std::string(parts[1])),
        is_module_class(parts[0]) ? kSavedModuleHint : kPlainDataHint);
  return push(Value::of_object(Kind::kGlobal, static_cast<std::uint64_t>(row)));
}

Status PickleMachine::make_object(std::string_view opcode) {
  TV_RETURN_IF_ERROR(need(2));
  const Value args = stack_.back();
  const Value callable = stack_[stack_.size() - 2];
  if (args.kind != Kind::kTuple)
    return refuse_here(std::string(opcode) + " with " + std::string(kind_text(args.kind)) +
                       " for arguments, expected a tuple");
  if (callable.kind != Kind::kGlobal || maker_ == nullptr)
    return refuse_here(
        "refused " + std::string(opcode) + " of " + std::string(kind_text(callable.kind)),
        kPlainDataHint);
  TV_ASSIGN_OR_RETURN(const Value made, maker_->make(callable, args, opcode_at_));
  drop_to(stack_.size() - 2);
  return push(made);
}

Status PickleMachine::op_reduce() {
  return make_object("REDUCE");
}
Status PickleMachine::op_newobj() {
  return make_object("NEWOBJ");
}

Status PickleMachine::op_build() {
  TV_RETURN_IF_ERROR(need(2));
  const Value state = stack_.back();
  const Value target = stack_[stack_.size() - 2];
  if (maker_ == nullptr) return refuse_here("refused BUILD", kPlainDataHint);
  TV_RETURN_IF_ERROR(maker_->set_state(target, state, opcode_at_));
  drop_to(stack_.size() - 1);
  return {};
}

Status PickleMachine::op_binpersid() {
  TV_RETURN_IF_ERROR(need(1));
  const Value id = stack_.back();
  if (maker_ == nullptr) return refuse_here("refused BINPERSID", kPlainDataHint);
  TV_ASSIGN_OR_RETURN(const Value loaded, maker_->load(id, opcode_at_));
  drop_to(stack_.size() - 1);
  return push(loaded);
}

Status PickleMachine::op_long1() {
  const std::byte* bytes = nullptr;
  TV_RETURN_IF_ERROR(take(1, &bytes));
  const auto count = std::to_integer<std::size_t>(*bytes);
  if (count > 8)
    return refuse_here("refused an integer of " + std::to_string(count) +
                       " bytes, at most 8 are read");
  TV_RETURN_IF_ERROR(take(count, &bytes));
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < count; ++i)
    bits |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  // Two's complement of `count` bytes: spread the sign.
  const bool negative = count > 0 && (std::to_integer<int>(bytes[count - 1]) & 0x80) != 0;
  if (negative && count < 8) bits |= ~std::uint64_t{0} << (8 * count);
  return push(Value::of_integer(static_cast<std::int64_t>(bits)));
}

Status PickleMachine::op_binfloat() {
  const std::byte* bytes = nullptr;
  TV_RETURN_IF_ERROR(take(8, &bytes));
  std::uint64_t bits = 0;  // the one big-endian number of the protocol
  for (std::size_t i = 0; i < 8; ++i) bits = bits << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  double real;
  std::memcpy(&real, &bits, sizeof real);
  return push(Value::of_real(real));
}

Status PickleMachine::op_empty_list() {
  if (!budget_.charge(sizeof(heap_.lists[0]))) return over_budget(place_, opcode_at_);
  heap_.lists.emplace_back();
  return push(Value::of_object(Kind::kList, heap_.lists.size() - 1));
}

Status PickleMachine::op_empty_dict() {
  if (!budget_.charge(sizeof(Dict))) return over_budget(place_, opcode_at_);
  heap_.dicts.emplace_back();
  return push(Value::of_object(Kind::kDict, heap_.dicts.size() - 1));
}

Status PickleMachine::op_tuple() {
  std::size_t first = 0;
  TV_RETURN_IF_ERROR(pop_mark(&first));
  return push_tuple(first);
}

template <std::size_t kCount>
Status PickleMachine::op_small_tuple() {
  TV_RETURN_IF_ERROR(need(kCount));
  return push_tuple(stack_.size() - kCount);
}

Status PickleMachine::append_to(const Value& target, std::size_t first) {
  if (target.kind != Kind::kList)
    return refuse_here("APPEND to " + std::string(kind_text(target.kind)) + ", expected a list");
  std::vector<Value>& list = heap_.lists[target.index];
  for (std::size_t i = first; i < stack_.size(); ++i) {
    if (!charge_growth(list, budget_)) return over_budget(place_, opcode_at_);
    list.push_back(stack_[i]);
  }
  drop_to(first);
  return {};
}

Status PickleMachine::op_append() {
  TV_RETURN_IF_ERROR(need(2));
  return append_to(stack_[stack_.size() - 2], stack_.size() - 1);
}

Status PickleMachine::op_appends() {
  std::size_t first = 0;
  TV_RETURN_IF_ERROR(pop_mark(&first));
  if (first == 0 || (!marks_.empty() && first <= marks_.back()))
    return refuse_here("stack underflow");
  return append_to(stack_[first - 1], first);
}

Status PickleMachine::set_items(const Value& target, std::size_t first) {
  if (target.kind != Kind::kDict)
    return refuse_here("SETITEM on " + std::string(kind_text(target.kind)) + ", expected a dict");
  if ((stack_.size() - first) % 2 != 0) return refuse_here("a dict is given a key without a value");
  auto& items = heap_.dicts[target.index].items;
  for (std::size_t i = first; i < stack_.size(); i += 2) {
    const Kind key = stack_[i].kind;
    if (key != Kind::kString && key != Kind::kInt)
      return refuse_here(
          "a dict key is " + std::string(kind_text(key)) + ", expected a string or an integer",
          kPlainDataHint);
    if (!charge_growth(items, budget_)) return over_budget(place_, opcode_at_);
    items.emplace_back(stack_[i], stack_[i + 1]);
  }
  drop_to(first);
  return {};
}

Status PickleMachine::op_setitem() {
  TV_RETURN_IF_ERROR(need(3));
  return set_items(stack_[stack_.size() - 3], stack_.size() - 2);
}

Status PickleMachine::op_setitems() {
  std::size_t first = 0;
  TV_RETURN_IF_ERROR(pop_mark(&first));
  if (first == 0 || (!marks_.empty() && first <= marks_.back()))
    return refuse_here("stack underflow");
  return set_items(stack_[first - 1], first);
}

template <typename Int>
Status PickleMachine::op_int() {
  const std::byte* bytes = nullptr;
  TV_RETURN_IF_ERROR(take(sizeof(Int), &bytes));
  return push(Value::of_integer(load_le<Int>(bytes)));
}

template <typename Length>
Status PickleMachine::op_string() {
  const std::byte* bytes = nullptr;
  TV_RETURN_IF_ERROR(take(sizeof(Length), &bytes));
  const std::uint64_t length = load_le<Length>(bytes);
  if (length > kMaxString)
    return refuse_here("refused a string of " + std::to_string(length) + " bytes, at most " +
                       std::to_string(kMaxString) + " are read");
  TV_RETURN_IF_ERROR(take(length, &bytes));
  const std::string_view text(reinterpret_cast<const char*>(bytes), length);
  if (!valid_utf8(text)) return refuse_here("a string is not UTF-8: " + quoted(text));
  return push(Value::of_string(text));
}

template <typename Index>
Status PickleMachine::op_put() {
  const std::byte* bytes = nullptr;
  TV_RETURN_IF_ERROR(take(sizeof(Index), &bytes));
  TV_RETURN_IF_ERROR(need(1));
  const std::size_t index = load_le<Index>(bytes);
  if (index >= stream_.size())
    return refuse_here("memo index " + std::to_string(index) + " in a stream of " +
                       std::to_string(stream_.size()) + " bytes");
  if (index >= memo_.size()) {
    const std::size_t more = index + 1 - memo_.size();
    if (!budget_.charge(more * (sizeof(Value) + 1))) return over_budget(place_, opcode_at_);
    memo_.resize(index + 1);
    memo_set_.resize(index + 1);
  }
  memo_[index] = stack_.back();
  memo_set_[index] = true;
  return {};
}

template <typename Index>
Status PickleMachine::op_get() {
  const std::byte* bytes = nullptr;
  TV_RETURN_IF_ERROR(take(sizeof(Index), &bytes));
  const std::size_t index = load_le<Index>(bytes);
  if (index >= memo_.size() || !memo_set_[index])
    return refuse_here("memo index " + std::to_string(index) + " was never stored");
  return push(memo_[index]);
}

}  // namespace tv::checkpoint
