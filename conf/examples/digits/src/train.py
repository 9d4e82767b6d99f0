"""Trains a small neural network on 1,797 images of handwritten digits (8x8 pixels)."""

import argparse
import json
import os
import pathlib

import joblib
import numpy
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()

    digits = load_digits()
    images = digits.data / 16.0
    print(f"{len(images)} images of {images.shape[1]} pixels, "
          f"{len(numpy.unique(digits.target))} classes", flush=True)
    train_x, test_x, train_y, test_y = train_test_split(
        images, digits.target, test_size=0.25, random_state=options.seed, stratify=digits.target)

    model = MLPClassifier(hidden_layer_sizes=(64,), learning_rate_init=0.01,
                          random_state=options.seed)
    classes = numpy.unique(digits.target)
    for epoch in range(1, options.epochs + 1):
        order = numpy.random.default_rng(options.seed + epoch).permutation(len(train_x))
        for start in range(0, len(order), 64):
            rows = order[start:start + 64]
            model.partial_fit(train_x[rows], train_y[rows], classes=classes)
        if epoch == 1 or epoch % 10 == 0:
            print(f"epoch {epoch:3}  loss {model.loss_:.4f}  "
                  f"accuracy {model.score(test_x, test_y):.4f}", flush=True)

    accuracy = model.score(test_x, test_y)
    folder = pathlib.Path(os.environ["HOME"]) / "models" / "digits"
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    (folder / "result.json").write_text(json.dumps(
        {"accuracy": accuracy, "epochs": options.epochs,
         "workload": os.environ.get("BERTH_WORKLOAD")}) + "\n")
    print(f"accuracy {accuracy:.4f} on {len(test_x)} images never seen in training")
    print(f"model saved to {folder / 'model.joblib'}")


if __name__ == "__main__":
    main()
