// HistoryReader: several history files (docs/HISTORY.md), read as one history.
//
// Lines of all files are merged by their time stamps; an invocation is paired with its completion
// and comes out as one Operation, in the order of completions. Memory: one buffer per file and one
// Operation per open invocation. Errors name file, line and reason. One owner.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "checker/history/file_lines.h"
#include "checker/history/key_book.h"
#include "checker/history/line_parser.h"
#include "checker/model/bank_state.h"
#include "checker/model/operation.h"

namespace bank::checker {

// A process and an operation's number in it: names an operation for all files together.
struct OperationId {
  uint64_t process = 0;
  uint64_t id = 0;
  bool operator==(const OperationId&) const = default;
  template <class H>
  friend H AbslHashValue(H h, const OperationId& key) {
    return H::combine(std::move(h), key.process, key.id);
  }
};

class HistoryReader {
 public:
  // `names` must outlive the reader; a second reader may share it.
  HistoryReader(InputFiles inputs, AccountNames* names);
  ~HistoryReader();

  // Reads up to the first operation of each.
  absl::Status Open();

  // Operations that are known to stay open for long: they do not hold back
  // oldest_open_invocation(). Must outlive the reader.
  void Disregard(const absl::flat_hash_map<OperationId, Operation>* known) { disregarded_ = known; }

  // The next operation whose fate is known, or that was given up (Fate::kInfo). After the last
  // line, operations without completion come as Fate::kInfo. An operation that was given up and
  // resolved later comes twice. False at the end and on errors: see status().
  bool Next(Operation* op);
  const absl::Status& status() const { return status_; }

  // No operation that comes later was invoked before this (as long as each file is in the order of
  // its stamps); kNever when nothing is open and the files are at their end.
  int64_t oldest_open_invocation();

  const InitialState& initial() const { return initial_; }
  const std::vector<Digest>& digests() const { return digests_; }
  const std::vector<std::string>& notes() const { return notes_; }  // e.g. a torn last line
  uint64_t lines() const { return lines_; }

 private:
  struct Source;

  // Reads the source's next line that belongs to an operation.
  void Advance(Source* source);
  void ParseHeader(const Source& source, std::string_view text);
  void ParseDigest(const Source& source, std::string_view text);
  bool Invoke(const Source& source);
  bool Complete(const Source& source, Operation* op);
  bool Fail(const Source& source, std::string_view what);

  InputFiles inputs_;
  AccountNames* names_;
  std::vector<std::unique_ptr<Source>> sources_;
  absl::flat_hash_map<OperationId, Operation> open_;
  absl::flat_hash_map<OperationId, Operation> given_up_;  // info so far; may be resolved later
  const absl::flat_hash_map<OperationId, Operation>* disregarded_ = nullptr;
  KeyBook invoked_;                                          // all, by process and id
  std::deque<std::pair<int64_t, OperationId>> invocations_;  // in order of reading
  std::vector<Operation> rest_;                              // open at the end
  bool at_end_ = false;
  bool started_ = false;  // an operation was read
  InitialState initial_;
  std::vector<Digest> digests_;
  std::vector<std::string> notes_;
  absl::Status status_;
  uint64_t lines_ = 0;
};

}  // namespace bank::checker
