#include "common/entropy.h"

#include <sys/random.h>

#include <cerrno>

#include "common/check.h"

namespace bank {

uint64_t OsEntropy::Draw() {
  uint64_t bits = 0;
  ssize_t got = 0;
  // So few bytes come whole, or not at all.
  do {
    got = getrandom(&bits, sizeof(bits), 0);
  } while (got < 0 && errno == EINTR);
  BANK_CHECK(got == static_cast<ssize_t>(sizeof(bits))) << "no entropy, errno " << errno;
  return bits;
}

}  // namespace bank
