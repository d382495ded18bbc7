// BANK_CHECK(condition) << context: a broken invariant stops the process, in every build.
//
// Stop, restart, recover: a branch that no longer knows what is true must not answer. One
// condition per check; the message says what was expected and what was found.
#pragma once

#include <cstdlib>
#include <iostream>
#include <sstream>

namespace bank::internal {

// Collects the message of a failed check; its destructor prints it and aborts.
class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* condition) {
    stream_ << file << ":" << line << ": check failed: " << condition << " ";
  }
  [[noreturn]] ~CheckFailure() {
    stream_ << "\n";
    std::cerr << stream_.str() << std::flush;
    std::abort();
  }
  std::ostream& stream() { return stream_; }

 private:
  std::ostringstream stream_;
};

// Gives both arms of the check's conditional expression the type void.
struct Voidify {
  void operator&(std::ostream&) const {}
};

}  // namespace bank::internal

#define BANK_CHECK(condition)                 \
  (condition) ? static_cast<void>(0)          \
              : ::bank::internal::Voidify() & \
                    ::bank::internal::CheckFailure(__FILE__, __LINE__, #condition).stream()
