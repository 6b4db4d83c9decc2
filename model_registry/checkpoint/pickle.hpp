// The restricted pickle machine: protocol 2, the opcodes that torch.save writes, nothing that calls
// foreign code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "model_registry/checkpoint/budget.hpp"
#include "model_registry/checkpoint/fault.hpp"
#include "model_registry/checkpoint/value.hpp"
#include "model_registry/error.hpp"

namespace tv::checkpoint {

/// What the machine asks when a stream wants an object made. `at` is the opcode's offset in the
/// stream.
class ObjectMaker {
 public:
  virtual ~ObjectMaker() = default;
  /// REDUCE and NEWOBJ: `callable` is any value, `args` a tuple.
  virtual Result<Value> make(const Value& callable, const Value& args, std::uint64_t at) = 0;
  /// BINPERSID
  virtual Result<Value> load(const Value& persistent_id, std::uint64_t at) = 0;
  /// BUILD
  virtual Status set_state(const Value& target, const Value& state, std::uint64_t at) = 0;
};

/// Runs one pickle. Time is linear in the bytes consumed; all memory is charged to `budget`.
class PickleMachine {
 public:
  /// The references and the stream outlive the machine and its values. Without a maker every
  /// request is refused.
  PickleMachine(std::span<const std::byte> stream, const Place& place, Heap& heap, Budget& budget,
                ObjectMaker* maker)
      : stream_(stream), place_(place), heap_(heap), budget_(budget), maker_(maker) {}

  /// The value that STOP leaves. Call once.
  Result<Value> run();
  /// Bytes up to and including STOP.
  std::size_t consumed() const { return position_; }

 private:
  friend struct OpcodeTable;

  Error refuse_here(std::string_view what, std::string_view hint = kDamagedHint) const {
    return refuse(place_, opcode_at_, what, hint);
  }
  Error refuse_opcode(std::uint8_t code) const;
  Status take(std::size_t count, const std::byte** bytes);
  Status need(std::size_t values) const;
  Status push(const Value& value);
  Status push_tuple(std::size_t first);
  Status pop_mark(std::size_t* first);
  Status append_to(const Value& target, std::size_t first);
  Status set_items(const Value& target, std::size_t first);
  void drop_to(std::size_t first);
  Status make_object(std::string_view opcode);

  // One function an opcode; templates where only the width of the operand differs.
  Status op_proto();
  Status op_mark();
  Status op_global();
  Status op_reduce();
  Status op_newobj();
  Status op_build();
  Status op_binpersid();
  Status op_long1();
  Status op_binfloat();
  Status op_none() { return push(Value::none()); }
  Status op_true() { return push(Value::of_bool(true)); }
  Status op_false() { return push(Value::of_bool(false)); }
  Status op_empty_list();
  Status op_empty_dict();
  Status op_tuple();
  Status op_append();
  Status op_appends();
  Status op_setitem();
  Status op_setitems();
  template <std::size_t kCount>
  Status op_small_tuple();
  template <typename Int>
  Status op_int();
  template <typename Length>
  Status op_string();
  template <typename Index>
  Status op_put();
  template <typename Index>
  Status op_get();

  std::span<const std::byte> stream_;
  const Place& place_;
  Heap& heap_;
  Budget& budget_;
  ObjectMaker* maker_;
  std::size_t position_ = 0;
  std::uint64_t opcode_at_ = 0;
  std::deque<Value> stack_;
  std::size_t stack_charged_ = 0;  ///< the stack's greatest height so far
  std::deque<std::size_t> marks_;
  std::deque<Value> memo_;
  std::deque<bool> memo_set_;
};

/// "STACK_GLOBAL (0x93)", also for opcodes that are refused or do not exist.
std::string opcode_text(std::uint8_t code);

}  // namespace tv::checkpoint
