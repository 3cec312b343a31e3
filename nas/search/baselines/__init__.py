"""What a search has to beat: a linear model, a tuned dense perceptron and gradient boosting."""
