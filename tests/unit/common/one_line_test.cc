#include "common/one_line.h"

#include <gtest/gtest.h>

namespace bank {
namespace {

TEST(OneLine, LeavesTextAsItIs) {
  EXPECT_EQ(OneLine(""), "");
  EXPECT_EQ(OneLine("plain, \"quoted\" \\ and so on"), "plain, \"quoted\" \\ and so on");
  EXPECT_EQ(OneLine("Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x8f\xa6"),
            "Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x8f\xa6");
}

TEST(OneLine, ShowsWhatWouldBreakTheLine) {
  EXPECT_EQ(OneLine("a\nb\r\tc"), "a\\x0ab\\x0d\\x09c");
  EXPECT_EQ(OneLine(std::string_view("\0\x1b[2J\x7f", 6)), "\\x00\\x1b[2J\\x7f");
  EXPECT_EQ(OneLine("\xc2\x85"), "\\xc2\\x85") << "next line";
  EXPECT_EQ(OneLine("\xe2\x80\xa8"), "\\xe2\\x80\\xa8") << "line separator";
  EXPECT_EQ(OneLine("\xe2\x80\xae"), "\\xe2\\x80\\xae") << "right to left from here";
  EXPECT_EQ(OneLine("\xe2\x81\xa7"), "\\xe2\\x81\\xa7") << "right to left, isolated";
  EXPECT_EQ(OneLine("\xe2\x80\xaf\xe2\x81\xaa"), "\xe2\x80\xaf\xe2\x81\xaa") << "beside these";
}

TEST(OneLine, ShowsBytesThatAreNoText) {
  EXPECT_EQ(OneLine("\xff"), "\\xff");
  EXPECT_EQ(OneLine("\xc3("), "\\xc3(");
  EXPECT_EQ(OneLine("\xe2\x82"), "\\xe2\\x82") << "cut";
  EXPECT_EQ(OneLine("\xc0\x80"), "\\xc0\\x80") << "too long for what it says";
  EXPECT_EQ(OneLine("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(OneLine("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "beyond Unicode";
}

TEST(OneLine, CutsBetweenCharacters) {
  EXPECT_EQ(OneLine("12345678", 8), "12345678");
  EXPECT_EQ(OneLine("123456789", 8), "12345...");
  EXPECT_EQ(OneLine("123\xe2\x82\xac"
                    "456789",
                    8),
            "123...")
      << "the euro has three bytes";
  EXPECT_EQ(OneLine("1234\n6789", 8), "1234...");
  EXPECT_EQ(OneLine(std::string(1'000'000, 'x')).size(), 200u);
}

TEST(OneLine, DoesNotChangeItsOwnWork) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string bytes = {static_cast<char>(first), static_cast<char>(second)};
      EXPECT_EQ(OneLine(OneLine(bytes)), OneLine(bytes));
    }
  }
}

}  // namespace
}  // namespace bank
