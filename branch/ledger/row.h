// One command as it stands in a batch, with the parts of its bytes that the ledger hashes.
#pragma once

#include <cstdint>
#include <string_view>

#include "branch/ledger/command.h"
#include "branch/ledger/digest.h"

namespace bank::ledger {

struct Row {
  Command command;
  std::string_view bytes;    // the whole row
  std::string_view content;  // amount, account, to: what a repeated key must repeat, with the kind

  // What the session remembers of the content.
  uint64_t Fingerprint() const { return DigestBytes(content, static_cast<uint64_t>(command.kind)); }
};

// Takes one row off the front of `rest`. False, with `rest` as it was, if it is malformed.
bool TakeRow(std::string_view* rest, Row* row);

}  // namespace bank::ledger
