# only functions in C
