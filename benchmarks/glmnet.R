# glmnet as a contestant: `Rscript glmnet.R FOLDER`. Reads a request a line on stdin, answers with a line on stdout.
# A request: columns, kind of Hessian, l1_ratio, thresh, least seconds, then the strengths lam in falling order.
# The answer: the seconds of glmnet() alone, one number a run, or `error` and a message. The solution of the last run
# goes to FOLDER/glmnet.bin, for each strength the intercept and the coefficients.
suppressPackageStartupMessages(library(glmnet))
glmnet.control(fdev = 0, devmax = 1)  # no early stop along the path
folder <- commandArgs(trailingOnly = TRUE)[1]
y <- readBin(file.path(folder, "y.bin"), "double", file.size(file.path(folder, "y.bin")) / 8)
x <- NULL

answer <- function(words) {
  p <- as.integer(words[1])
  numbers <- as.numeric(words[-(1:2)])
  lambda <- numbers[-(1:3)]
  if (is.null(x)) x <<- matrix(readBin(file.path(folder, "X.bin"), "double", length(y) * p), length(y), p)
  seconds <- c()
  while (length(seconds) == 0 || sum(seconds) < numbers[3]) {
    begin <- as.numeric(Sys.time())
    fit <- glmnet(x, y, family = "binomial", alpha = numbers[1], lambda = lambda, standardize = FALSE,
                  thresh = numbers[2], maxit = 1e9, type.logistic = words[2])
    seconds <- c(seconds, as.numeric(Sys.time()) - begin)
  }
  if (length(fit$lambda) < length(lambda)) stop("the path ended after ", length(fit$lambda), " fits")
  writeBin(as.vector(rbind(fit$a0, as.matrix(fit$beta))), file.path(folder, "glmnet.bin"))
  paste(format(seconds, digits = 15), collapse = " ")
}

input <- file("stdin", "r")
while (length(line <- readLines(input, n = 1)) > 0) {
  said <- tryCatch(suppressWarnings(answer(strsplit(line, " ")[[1]])),
                   error = function(e) paste("error", gsub("\n", " ", conditionMessage(e))))
  cat(said, "\n", sep = "")
  flush(stdout())
}
